// Cases for reading a part of a blob.
import { blobParts, getBlobParts } from '../../model/index.ts';
import type { ByteRange, ResolvedRange } from '../../model/index.ts';
import { algorithms, equal, group, identityOf, rejects, sameBytes } from '../cases/index.ts';
import type { DefineGroup } from '../cases/index.ts';
import { randomBlob } from '../content/index.ts';

const size = 2048;

/** Ranges of a blob of 2048 bytes, and the bytes that they stand for. */
const ranges: readonly [what: string, range: ByteRange, resolved: ResolvedRange][] = [
  ['a part in the middle', { start: 500, end: 1500 }, { start: 500, end: 1500 }],
  ['the part from a byte to the end', { start: 500 }, { start: 500, end: size }],
  ['the last bytes', { last: 500 }, { start: size - 500, end: size }],
  ['the first byte', { start: 0, end: 1 }, { start: 0, end: 1 }],
  ['the last byte', { start: size - 1 }, { start: size - 1, end: size }],
  ['the last byte, counted from the end', { last: 1 }, { start: size - 1, end: size }],
  ['all of it', { start: 0, end: size }, { start: 0, end: size }],
  ['all of it, without an end', { start: 0 }, { start: 0, end: size }],
  ['all of it, counted from the end', { last: size }, { start: 0, end: size }],
  ['the rest if more is asked for', { start: 2000, end: 5001 }, { start: 2000, end: size }],
  ['all of it if more is asked for', { start: 0, end: size * 10 }, { start: 0, end: size }],
  ['all of it if more last bytes are asked for', { last: size + 1 }, { start: 0, end: size }],
  ['nothing at the start', { start: 0, end: 0 }, { start: 0, end: 0 }],
  ['nothing in the middle', { start: 700, end: 700 }, { start: 700, end: 700 }],
  ['nothing at the end', { start: size }, { start: size, end: size }],
  ['nothing if no last bytes are asked for', { last: 0 }, { start: size, end: size }],
  ['nothing past the end', { start: 5000, end: 10_001 }, { start: size, end: size }],
  ['nothing past the end, without an end', { start: size + 1 }, { start: size, end: size }],
];

const malformed: readonly ByteRange[] = [
  { start: 500, end: 1 },
  { start: 500, end: 0 },
  { start: 5000, end: 4000 },
  { start: -1 },
  { start: -5, end: 5 },
  { start: 0, end: -1 },
  { start: 0.5 },
  { start: 0, end: 1.5 },
  { start: Number.NaN },
  { start: 0, end: Number.POSITIVE_INFINITY },
  { start: Number.MAX_SAFE_INTEGER + 1 },
  { last: -1 },
  { last: 1.5 },
  { last: Number.NaN },
];

/** The cases for `getBlob` with a range. */
export const readingRanges: DefineGroup = group('reading a part of a blob', [], (test) => {
  for (const [what, range, expected] of ranges) {
    test(`gives ${what}: ${JSON.stringify(range)}`, async ({ registry, origin, repository }) => {
      const name = repository();
      const { descriptor, bytes } = randomBlob(size);
      await origin.pushBlob(name, descriptor, bytes);
      const content = await registry.getBlob(name, descriptor.digest, { range });
      equal(content.range, expected, 'the range of the content');
      equal(identityOf(content.descriptor), descriptor, 'the descriptor of the whole blob');
      sameBytes(await content.bytes(), bytes.subarray(expected.start, expected.end), 'the part');
    });
  }

  for (const algorithm of algorithms) {
    test(`gives parts of a ${algorithm} blob that make up the whole`, async (scene) => {
      const name = scene.repository();
      const { descriptor, bytes } = randomBlob(10_000, { algorithm });
      await scene.origin.pushBlob(name, descriptor, bytes);
      const whole = new Uint8Array(bytes.length);
      for (let start = 0; start < bytes.length; start += 3333) {
        const content = await scene.registry.getBlob(name, descriptor.digest, { range: { start, end: start + 3333 } });
        whole.set(await content.bytes(), start);
      }
      sameBytes(whole, bytes, 'the parts, put together');
    });
  }

  test('gives any part of a blob that was pushed in pieces', async (scene) => {
    const name = scene.repository();
    const { descriptor, bytes } = randomBlob(40_000);
    const upload = await scene.origin.startUpload(name);
    const middle = Math.max(15_000, upload.minimumChunk ?? 0);
    await upload.append(bytes.subarray(0, middle));
    await upload.append(bytes.subarray(middle));
    await upload.commit(descriptor.digest);
    for (const [start, end] of [
      [0, middle],
      [middle, 40_000],
      [middle - 1, middle + 1],
      [100, 39_900],
    ] as const) {
      const content = await scene.registry.getBlob(name, descriptor.digest, { range: { start, end } });
      sameBytes(await content.bytes(), bytes.subarray(start, end), `bytes ${start} to ${end}`);
    }
  });

  test('gives a far part of a blob of several MiB', async ({ registry, origin, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(5 * 1024 * 1024);
    await origin.pushBlob(name, descriptor, bytes);
    const [start, end] = [4_123_457, 5_000_001];
    const content = await registry.getBlob(name, descriptor.digest, { range: { start, end } });
    sameBytes(await content.bytes(), bytes.subarray(start, end), 'the part');
  });

  test('gives no bytes for any part of the empty blob', async ({ registry, origin, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(0);
    await origin.pushBlob(name, descriptor, bytes);
    for (const range of [{ start: 0 }, { start: 0, end: 10 }, { start: 5 }, { last: 0 }, { last: 10 }]) {
      const content = await registry.getBlob(name, descriptor.digest, { range });
      equal(content.range, { start: 0, end: 0 }, `the range for ${JSON.stringify(range)}`);
      equal((await content.bytes()).length, 0, 'its bytes');
    }
  });

  test('gives several parts in their order, or the whole blob if it knows no `ranges`', async (scene) => {
    const { registry, origin } = scene;
    const name = scene.repository();
    const { descriptor, bytes } = randomBlob(size);
    await origin.pushBlob(name, descriptor, bytes);
    const given = ranges.filter(([what]) => !what.startsWith('all')).toReversed();
    const asked = given.map(([, range]) => range);
    const content = await registry.getBlob(name, descriptor.digest, { ranges: asked });
    equal(identityOf(content.descriptor), descriptor, 'the descriptor of the whole blob');
    const parts = content.parts ?? [{ start: 0, end: size }];
    if (content.parts !== undefined)
      equal(
        parts,
        given.map(([, , resolved]) => resolved),
        'the parts',
      );
    const read = await content.bytes();
    let at = 0;
    for (const { start, end } of parts) {
      sameBytes(read.subarray(at, at + end - start), bytes.subarray(start, end), `bytes ${start} to ${end}`);
      at += end - start;
    }
    equal(read.length, at, 'the number of bytes');
    let count = 0;
    for await (const part of blobParts(registry, name, descriptor.digest, asked)) {
      const { start, end } = given[count]?.[2] ?? { start: 0, end: 0 };
      equal(part.range, { start, end }, `the range of part ${count}`);
      sameBytes(await part.bytes(), bytes.subarray(start, end), `part ${count}`);
      count += 1;
    }
    equal(count, given.length, 'the number of parts');
    await (await registry.getBlob(name, descriptor.digest, { ranges: asked })).cancel();
  });

  test('refuses malformed ranges among several', async ({ registry, origin, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob(size);
    await origin.pushBlob(name, descriptor, bytes);
    for (const range of malformed) {
      const asked = [{ start: 0, end: 1 }, range];
      await rejects(getBlobParts(registry, name, descriptor.digest, asked), 'RANGE_INVALID', JSON.stringify(range));
    }
  });

  for (const range of malformed) {
    const shown = Object.entries(range).map(([key, value]) => `${key}: ${value}`);
    test(`refuses the range { ${shown.join(', ')} }`, async ({ registry, origin, repository }) => {
      const name = repository();
      const { descriptor, bytes } = randomBlob(size);
      await origin.pushBlob(name, descriptor, bytes);
      await rejects(registry.getBlob(name, descriptor.digest, { range }), 'RANGE_INVALID');
    });
  }

  test('does not find a part of an unknown blob', async ({ registry, origin, repository }) => {
    const name = repository();
    const { descriptor, bytes } = randomBlob();
    await origin.pushBlob(name, descriptor, bytes);
    const { digest } = randomBlob().descriptor;
    await rejects(registry.getBlob(name, digest, { range: { start: 1, end: 2 } }), 'BLOB_UNKNOWN', 'some bytes');
    await rejects(
      registry.getBlob(name, digest, { range: { start: 1, end: 1 } }).then((content) => content.bytes()),
      'BLOB_UNKNOWN',
      'no bytes',
    );
  });
});
