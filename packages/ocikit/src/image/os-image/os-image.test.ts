import { pipeline } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { createGunzip, gzipSync } from 'node:zlib';

import { describe, expect, test } from 'vitest';

import { eventually } from '../../../test/eventually.ts';
import { collect, digestOf } from '../../model/index.ts';
import type { Registry } from '../../model/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { randomBlob } from '../../testing/index.ts';

import {
  asImage,
  contentOf,
  createImage,
  createOsImage,
  jsonContent,
  osImageTypes,
  pull,
  push,
  readOsImage,
} from '../index.ts';
import type { Image, ImageContent, OsImageConfig, ReadPayloadOptions } from '../index.ts';

const chunkSize = 1000;
const { bytes } = randomBlob(4500);

/** The format needs any compression that its reader knows; Node 20 has no Zstandard. */
const decompress: ReadPayloadOptions['decompress'] = (content) => pipeline(content, createGunzip(), () => undefined);

async function read(image: Image, options: ReadPayloadOptions = {}, name = 'system'): Promise<Uint8Array> {
  const os = await readOsImage(image);
  return new Uint8Array(Buffer.concat(await collect(os.readPayload(name, options))));
}

const stored = createOsImage({ id: 'example' }, [
  { name: 'kernel.efi', bytes: bytes.subarray(0, 10) },
  { name: 'system', bytes, chunkSize },
]);
const compressed = createOsImage({ id: 'example' }, [
  { name: 'system', bytes, chunkSize, compressed: gzipSync(bytes) },
]);
const configOf = async (image: Image): Promise<OsImageConfig> => (await readOsImage(image)).config;

test('an image has its payloads, with the hashes of their chunks', async () => {
  const hash = (start: number, end?: number): string =>
    Buffer.from(digestOf(bytes.subarray(start, end)).slice(7), 'hex')
      .toString('base64')
      .replace('=', '');
  expect(stored.manifest.artifactType).toBe('application/vnd.monogon.os.image.v1');
  expect(await configOf(stored)).toEqual({
    format_version: '1',
    product_info: { id: 'example' },
    payloads: [
      { name: 'kernel.efi', size: 10, hash_chunk_size: 16 * 1024 * 1024, chunk_hashes_sha256: [hash(0, 10)] },
      {
        name: 'system',
        size: 4500,
        hash_chunk_size: 1000,
        chunk_hashes_sha256: [hash(0, 1000), hash(1000, 2000), hash(2000, 3000), hash(3000, 4000), hash(4000)],
      },
    ],
  });
  const os = await readOsImage(stored);
  expect(await stored.readVerified(os.layerOf('system'))).toEqual(bytes);
});

const forms: readonly [string, Image, ReadPayloadOptions][] = [
  ['as it is', stored, {}],
  ['compressed', compressed, { decompress }],
];

describe.each(forms)('a payload that is stored %s', (_what, image, options) => {
  test('is read in verified chunks', async () => {
    const os = await readOsImage(image);
    const parts = await collect(os.readPayload('system', options));
    expect(parts.map(({ length }) => length)).toEqual([1000, 1000, 1000, 1000, 500]);
    expect(new Uint8Array(Buffer.concat(parts))).toEqual(bytes);
  });

  test.each([
    [0, 4500],
    [0, 1],
    [999, 1001],
    [1000, 2000],
    [1500, 4400],
    [4499, 4500],
    [4500, 9999],
    [700, 700],
    [3000, undefined],
  ])('is read from byte %d to %d', async (start, end) => {
    expect(await read(image, { ...options, range: { start, end } })).toEqual(bytes.subarray(start, end));
  });

  test('that is not read to its end is cancelled', async () => {
    const os = await readOsImage(image);
    for await (const part of os.readPayload('system', options)) {
      expect(part).toEqual(bytes.subarray(0, 1000));
      break;
    }
  });

  test('is read until its signal is aborted', async () => {
    const controller = new AbortController();
    const os = await readOsImage(image);
    const reading = os.readPayload('system', { ...options, signal: controller.signal })[Symbol.asyncIterator]();
    await reading.next();
    controller.abort(new Error('enough'));
    const rest = async (): Promise<void> => {
      while ((await reading.next()).done !== true);
    };
    // Bytes that are decompressed already may still come.
    await expect(rest()).rejects.toThrow('enough');
  });
});

test('only the chunks of a range are fetched', async () => {
  const memory = createMemoryRegistry();
  await push(memory, 'os', stored, { tags: ['v1'] });
  const ranges: unknown[] = [];
  const registry: Registry = {
    ...memory,
    getBlob: (repository, digest, options) => {
      ranges.push(options?.range);
      return memory.getBlob(repository, digest, options);
    },
  };
  const image = asImage(await pull(registry, 'os', { tag: 'v1' }));
  expect(await read(image, { range: { start: 2999, end: 3001 } })).toEqual(bytes.subarray(2999, 3001));
  expect(ranges).toEqual([undefined, { start: 2000, end: 4000 }]);
});

test('an empty payload has no chunks', async () => {
  const empty = createOsImage({ id: 'example' }, [{ name: 'system', bytes: new Uint8Array() }]);
  expect((await configOf(empty)).payloads[0]?.chunk_hashes_sha256).toEqual([]);
  expect(await read(empty)).toEqual(new Uint8Array());
});

describe('damage', () => {
  /** An image of the same config, in which another layer lies. */
  async function withLayer(of: Image, content: Uint8Array, mediaType: string): Promise<Image> {
    const config: ImageContent = {
      descriptor: of.config,
      content: await of.readVerified(of.config),
    };
    const layers = of.layers.map(() => contentOf(content, mediaType));
    return createImage({ artifactType: osImageTypes.artifact, config, layers });
  }
  const wrong = bytes.slice();
  wrong[2500] = (wrong[2500] ?? 0) ^ 1;

  test.each<[string, Image, (these: Uint8Array) => Uint8Array, string, ReadPayloadOptions]>([
    ['as it is', stored, (these) => these, osImageTypes.payload, {}],
    ['compressed', compressed, gzipSync, osImageTypes.payloadZstd, { decompress }],
  ])(
    'in a payload that is stored %s is detected before any byte of its chunk is yielded',
    async (_what, of, form, type, options) => {
      const os = await readOsImage(await withLayer(of, form(wrong), type));
      const parts: Uint8Array[] = [];
      const reading = async (): Promise<void> => {
        for await (const part of os.readPayload('system', options)) parts.push(part);
      };
      await expect(reading()).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
      expect(new Uint8Array(Buffer.concat(parts))).toEqual(bytes.subarray(0, 2000));
      expect(await collect(os.readPayload('system', { ...options, range: { start: 0, end: 2000 } }))).toHaveLength(2);
    },
  );

  test.each([
    ['too short', bytes.subarray(0, 4499)],
    ['too short by a chunk', bytes.subarray(0, 4000)],
    ['too long', new Uint8Array([...bytes, 0])],
    ['much too long', new Uint8Array(1_000_000)],
  ])('that makes a payload %s is detected', async (_what, content) => {
    const options = { decompress };
    const packed = await withLayer(compressed, gzipSync(content), osImageTypes.payloadZstd);
    const code = content.length > 100_000 ? 'DIGEST_INVALID' : 'SIZE_INVALID';
    await expect(read(packed, options)).rejects.toMatchObject({ code });
    const plain = await withLayer(compressed, content, osImageTypes.payload);
    await expect(read(plain)).rejects.toMatchObject({ code: 'SIZE_INVALID' });
  });

  describe('in the middle of the content', () => {
    const packed = gzipSync(bytes);
    const { descriptor } = contentOf(packed, osImageTypes.payloadZstd);
    async function withContent(content: () => AsyncGenerator<Uint8Array>): Promise<Image> {
      const config = { descriptor: compressed.config, content: await compressed.readVerified(compressed.config) };
      return createImage({ artifactType: osImageTypes.artifact, config, layers: [{ descriptor, content }] });
    }

    test('is passed on as an error, and ends the reading', async () => {
      const broken = await withContent(async function* failing() {
        yield packed.subarray(0, 2000);
        throw new Error('the disk is gone');
      });
      await expect(read(broken, { decompress })).rejects.toThrow('the disk is gone');
    });

    test('does not delay a reader that has all that it wanted', async () => {
      let left = 0;
      const slow = await withContent(async function* slowly() {
        try {
          yield packed.subarray(0, 2000);
          await delay(20);
          yield packed.subarray(2000);
        } finally {
          left++;
        }
      });
      const os = await readOsImage(slow);
      const parts = await collect(os.readPayload('system', { decompress, range: { start: 0, end: 10 } }));
      expect(parts).toEqual([bytes.subarray(0, 10)]);
      await eventually(() => expect(left).toBe(1));
    });

    test('cancels the content, also if the decompressor does not', async () => {
      let left = 0;
      const { descriptor: plain } = contentOf(bytes, osImageTypes.payloadZstd);
      const content = async function* content(): AsyncGenerator<Uint8Array> {
        try {
          for (let at = 0; at < bytes.length; at += 100) yield bytes.subarray(at, at + 100);
        } finally {
          left++;
        }
      };
      const config = { descriptor: compressed.config, content: await compressed.readVerified(compressed.config) };
      const layers = [{ descriptor: plain, content }];
      const os = await readOsImage(createImage({ artifactType: osImageTypes.artifact, config, layers }));
      const forgetful: ReadPayloadOptions['decompress'] = async function* forgetful(blob) {
        const reader = blob.stream().getReader();
        for (;;) {
          const { done, value } = await reader.read();
          if (done) return;
          yield value;
        }
      };
      const range = { start: 0, end: 10 };
      await collect(os.readPayload('system', { decompress: forgetful, range }));
      await expect(collect(os.readPayload('system', { decompress: forgetful }))).resolves.toHaveLength(5);
      expect(left).toBe(2);
    });
  });

  test('of compressed content is detected', async () => {
    const broken = await withLayer(compressed, gzipSync(bytes).subarray(0, 2000), osImageTypes.payloadZstd);
    await expect(read(broken, { decompress })).rejects.toThrow();
  });
});

describe('refused is', () => {
  test('a missing payload', async () => {
    await expect(read(stored, {}, 'initrd')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const os = await readOsImage(stored);
    expect(() => os.layerOf('initrd')).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
  });

  test('a payload without a way to decompress it', async () => {
    await expect(read(compressed)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  test('an image of another kind', async () => {
    const other = createImage({ artifactType: 'a/b' });
    await expect(readOsImage(other)).rejects.toMatchObject({ code: 'UNSUPPORTED_MEDIA_TYPE' });
    const config = jsonContent({}, 'a/b');
    const odd = createImage({ artifactType: osImageTypes.artifact, config });
    await expect(readOsImage(odd)).rejects.toMatchObject({ code: 'UNSUPPORTED_MEDIA_TYPE' });
  });

  const good = { name: 'system', size: 5, hash_chunk_size: 3, chunk_hashes_sha256: ['a', 'b'] };
  const product = { id: 'example' };
  const oneLayer = [contentOf(bytes.subarray(0, 5), osImageTypes.payload)];
  const imageOf = (config: object, layers = oneLayer): Image =>
    createImage({ artifactType: osImageTypes.artifact, config: jsonContent(config, osImageTypes.config), layers });

  test.each([
    ['size', { ...good, size: -1 }],
    ['size', { ...good, size: 1.5 }],
    ['hash_chunk_size', { ...good, hash_chunk_size: 0 }],
    ['hash_chunk_size', { ...good, hash_chunk_size: 16 * 1024 * 1024 + 1 }],
    ['chunk_hashes_sha256', { ...good, chunk_hashes_sha256: ['a'] }],
    ['chunk_hashes_sha256', { ...good, chunk_hashes_sha256: ['a', 'b', 'c'] }],
    ['chunk_hashes_sha256', { ...good, chunk_hashes_sha256: ['a', 1] }],
    ...['', '.hidden', '_x', 'x.', 'a/b', 'x'.repeat(81), 1].map((name): [string, object] => [
      'name',
      { ...good, name },
    ]),
  ])('a payload with a malformed %s: %j', async (field, payload) => {
    const config = { format_version: '1', product_info: product, payloads: [payload] };
    await expect(readOsImage(imageOf(config))).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
      detail: { field: `payloads[0].${field}` },
    });
  });

  test('a config of another version, or a malformed one', async () => {
    const config = { format_version: '1', product_info: product, payloads: [good] };
    await readOsImage(imageOf(config));
    const refuse = async (other: object, code: string): Promise<void> => {
      await expect(readOsImage(imageOf(other))).rejects.toMatchObject({ code });
    };
    await refuse({ ...config, format_version: '2' }, 'UNSUPPORTED');
    await refuse({ ...config, product_info: {} }, 'MANIFEST_INVALID');
    await refuse({ ...config, payloads: {} }, 'MANIFEST_INVALID');
    await refuse({ ...config, payloads: [1] }, 'MANIFEST_INVALID');
    await refuse({ ...config, payloads: [] }, 'MANIFEST_INVALID');
    await refuse([], 'MANIFEST_INVALID');
    const twice = [oneLayer, oneLayer].flat();
    await expect(readOsImage(imageOf({ ...config, payloads: [good, good] }, twice))).rejects.toThrow(
      /payloads\[1\]\.name/,
    );
  });

  test('a new payload with a malformed name or chunk size', () => {
    const payload = { name: 'system', bytes };
    for (const more of [
      { name: 'a/b' },
      { chunkSize: 0 },
      { chunkSize: 1.5 },
      { chunkSize: Number.NaN },
      { chunkSize: 1e9 },
    ]) {
      expect(() => createOsImage(product, [{ ...payload, ...more }])).toThrow(/payloads\[0\]/);
    }
  });
});
