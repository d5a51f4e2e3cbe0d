import { readdirSync, readlinkSync } from 'node:fs';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { request as secureRequest } from 'node:https';
import { join } from 'node:path';

import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import { multipartOf } from '../../../../test/multipart.ts';
import { startServer, startSharedServer } from '../../../../test/start-server.ts';
import type { TestServer } from '../../../../test/start-server.ts';
import { temporaryDirectory } from '../../../../test/temporary-directory.ts';
import { blobDescriptor, createContent, digestOf, partialRegistry } from '../../../model/index.ts';
import type { ByteRange, Registry } from '../../../model/index.ts';
import { createClient } from '../../client/index.ts';
import { diskBlobs } from '../../../stores/blobs/node.ts';
import { openLayout } from '../../../stores/layout/index.ts';
import { createMemoryRegistry } from '../../../stores/memory/index.ts';
import { randomBlob } from '../../../testing/index.ts';
import { testCertificate } from '../../../testing/node.ts';
import { serve } from '../../../node/index.ts';
import { cache, debug, readOnly, sub, unify } from '../../../views/index.ts';
import { createServer } from '../server.ts';

const digits = new TextEncoder().encode('0123456789');

describe('a request for several parts of a blob', () => {
  let server: TestServer;
  const registry = createMemoryRegistry();
  const digest = digestOf(digits);
  const url = `/v2/a/blobs/${digest}`;

  beforeAll(async () => {
    server = await startSharedServer(registry);
    await registry.pushBlob('a', { digest }, digits);
    await registry.pushBlob('a', { digest: digestOf(new Uint8Array()) }, new Uint8Array());
  });
  afterAll(() => server.close());

  test.each([
    ['bytes=0-1,4-5', ['bytes 0-1/10', '01'], ['bytes 4-5/10', '45']],
    ['bytes=4-5,0-1', ['bytes 4-5/10', '45'], ['bytes 0-1/10', '01']],
    ['bytes=0-4,5-9', ['bytes 0-4/10', '01234'], ['bytes 5-9/10', '56789']],
    ['bytes=1-1,1-1', ['bytes 1-1/10', '1'], ['bytes 1-1/10', '1']],
    ['bytes=8-,-1 , 0-0', ['bytes 8-9/10', '89'], ['bytes 9-9/10', '9'], ['bytes 0-0/10', '0']],
    ['bytes=0-1,10-,9-50,-0', ['bytes 0-1/10', '01'], ['bytes 9-9/10', '9']],
  ])('by Range %s is answered with each part that the blob has, in its order', async (range, ...parts) => {
    const response = await server.fetch(url, { headers: { range } });
    const body = await bytesOf(response);
    expect(response.status).toBe(206);
    expect(response.headers.get('content-length')).toBe(`${body.length}`);
    expect(response.headers.get('content-range')).toBeNull();
    expect(response.headers.get('docker-content-digest')).toBe(digest);
    expect(response.headers.get('etag')).toBe(`"${digest}"`);
    expect(multipartOf(response.headers.get('content-type'), body)).toEqual(
      parts.map(([contentRange, text]) => ({
        headers: { 'content-type': 'application/octet-stream', 'content-range': contentRange },
        body: text,
      })),
    );
  });

  test('is answered with a plain part if the blob has only one of them', async () => {
    const response = await server.fetch(url, { headers: { range: 'bytes=20-30,3-4' } });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe('bytes 3-4/10');
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
    expect(await response.text()).toBe('34');
  });

  test('is answered 416 with the size if the blob has none of them', async () => {
    const response = await server.fetch(url, { headers: { range: 'bytes=10-,20-30,-0' } });
    expect(response.status).toBe(416);
    expect(response.headers.get('content-range')).toBe('bytes */10');
    expect(await response.text()).toContain('asks for 3 ranges, but the blob, of 10 bytes, has none of them');
  });

  test('is answered with the whole blob if the blob is empty', async () => {
    const empty = `/v2/a/blobs/${digestOf(new Uint8Array())}`;
    const response = await server.fetch(empty, { headers: { range: 'bytes=0-1,4-5' } });
    expect([response.status, response.headers.get('content-length')]).toEqual([200, '0']);
  });

  test('is answered 404 if there is no such blob', async () => {
    const response = await server.fetch(url.replace('a/blobs', 'b/blobs'), { headers: { range: 'bytes=0-1,4-5' } });
    expect([response.status, await server.codeOf(response)]).toEqual([404, 'NAME_UNKNOWN']);
  });

  test('is answered with parts only if If-Range names this content', async () => {
    const range = 'bytes=0-1,4-5';
    const same = await server.fetch(url, { headers: { range, 'if-range': `"${digest}"` } });
    const other = await server.fetch(url, { headers: { range, 'if-range': '"other"' } });
    expect([same.status, other.status]).toEqual([206, 200]);
    expect(await other.text()).toBe('0123456789');
  });

  test('is ignored by HEAD', async () => {
    const response = await server.fetch(url, { method: 'HEAD', headers: { range: 'bytes=0-1,4-5' } });
    expect([response.status, response.headers.get('content-length')]).toEqual([200, '10']);
  });

  test('has another boundary in each answer', async () => {
    const types = new Set<string | null>();
    for (let i = 0; i < 5; i++) {
      const response = await server.fetch(url, { headers: { range: 'bytes=0-1,4-5' } });
      types.add(response.headers.get('content-type'));
      await bytesOf(response);
    }
    expect(types.size).toBe(5);
  });

  test('leaves the connection usable', async () => {
    const one = `GET ${url} HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1,4-5\r\n`;
    const answer = await server.speak(`${one}\r\n${one}\r\n${one}Connection: close\r\n\r\n`);
    expect(answer.match(/HTTP\/1.1 206 /g)).toHaveLength(3);
    expect(answer.match(/Content-Range: bytes 4-5\/10\r\n\r\n45\r\n--/g)).toHaveLength(3);
  });
});

describe('many ranges', () => {
  const { descriptor, bytes } = randomBlob(30_000_000);
  const url = `/v2/a/blobs/${descriptor.digest}`;
  const rangeOf = (count: number): string =>
    `bytes=${Array.from({ length: count }, (_, i) => `${i * 29_000}-${i * 29_000 + 9}`).join(',')}`;

  test.each([
    ['the fast parser', ''],
    ["Node's parser", 'TE: trailers\r\n'],
  ])('up to 1024 are answered part by part, by %s', async (_name, field) => {
    const registry = createMemoryRegistry();
    await registry.pushBlob('a', descriptor, bytes);
    const server = await startServer(registry);
    const head = `GET ${url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${field}Range: ${rangeOf(1024)}\r\n\r\n`;
    expect(head.length).toBeGreaterThan(16 * 1024);
    const answer = await server.speak(head);
    expect(answer).toMatch(/^HTTP\/1.1 206 /);
    expect(answer.match(/\r\nContent-Range: /g)).toHaveLength(1024);
  });

  test('up to 1024 are answered part by part over TLS', async () => {
    const registry = createMemoryRegistry();
    await registry.pushBlob('a', descriptor, bytes);
    const tls = await testCertificate(['127.0.0.1']);
    const serving = await serve(registry, { port: 0, tls });
    onTestFinished(async () => void (await serving.close(0)));
    const headers = { range: rangeOf(1024) };
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const options = { port: serving.port, path: url, headers, ca: tls.cert, agent: false, host: '127.0.0.1' };
      const sent = secureRequest(options, resolve);
      sent.on('error', reject).end();
    });
    const pieces: Buffer[] = [];
    for await (const piece of response) pieces.push(piece as Buffer);
    expect(response.statusCode).toBe(206);
    expect(multipartOf(response.headers['content-type'] ?? null, Buffer.concat(pieces))).toHaveLength(1024);
  });

  test('more than 1024 are answered with the whole blob', async () => {
    const registry = createMemoryRegistry();
    await registry.pushBlob('a', descriptor, bytes);
    const server = await startServer(registry);
    const response = await server.fetch(url, { headers: { range: rangeOf(1025) } });
    expect([response.status, (await bytesOf(response)).length]).toEqual([200, bytes.length]);
  });
});

describe('random parts', () => {
  const { descriptor, bytes } = randomBlob(700_000);
  const { digest, size } = descriptor;
  const text = Buffer.from(bytes).toString('latin1');
  const filled = async (registry: Registry): Promise<Registry> => {
    await registry.pushBlob('a', descriptor, bytes);
    return registry;
  };
  const layout = async (): Promise<Registry> => {
    const opened = openLayout(await temporaryDirectory(), { durability: 'none' });
    onTestFinished(() => opened.close());
    return filled(opened);
  };
  const proxied = async (): Promise<Registry> => {
    const { port } = await startServer(await layout());
    return createClient({ host: `127.0.0.1:${port}` });
  };
  const registries: Record<string, () => Promise<Registry>> = {
    memory: () => filled(createMemoryRegistry()),
    layout,
    'disk blobs': async () => filled(createMemoryRegistry({ blobs: diskBlobs(await temporaryDirectory()) })),
    views: async () => debug(readOnly(await filled(sub(createMemoryRegistry(), 'team'))), () => undefined),
    'a proxy': proxied,
    'a cache that has the blob': async () => cache(await proxied(), await filled(createMemoryRegistry())),
    'a cache without the blob': async () => cache(await proxied(), createMemoryRegistry()),
    'a unified registry': async () => unify([createMemoryRegistry(), await proxied()]),
    'a registry that knows only single ranges': async () => {
      const store = await filled(createMemoryRegistry());
      return partialRegistry({
        getBlob: async (repository, wanted, { range } = {}) => store.getBlob(repository, wanted, { range }),
      });
    },
  };

  const position = fc.oneof(
    fc.nat(size + 10_000),
    fc.nat(3),
    fc.nat(3).map((n) => size - n),
  );
  const length = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 130_000 }));
  const range = fc.oneof(
    { weight: 8, arbitrary: fc.tuple(position, length).map(([start, n]): ByteRange => ({ start, end: start + n })) },
    { weight: 1, arbitrary: position.map((start): ByteRange => ({ start })) },
    { weight: 1, arbitrary: length.map((last): ByteRange => ({ last })) },
  );
  const headerOf = (ranges: readonly ByteRange[]): string =>
    `bytes=${ranges.map((one) => ('last' in one ? `-${one.last}` : `${one.start}-${one.end === undefined ? '' : one.end - 1}`)).join(',')}`;

  test.each(Object.entries(registries))('are the slices of the bytes, from %s', async (_name, make) => {
    const server = await startServer(await make());
    await fc.assert(
      fc.asyncProperty(fc.array(range, { minLength: 2, maxLength: 30 }), async (ranges) => {
        const expected = ranges
          .map((one) =>
            'last' in one ? [Math.max(0, size - one.last), size] : [one.start, Math.min(one.end ?? size, size)],
          )
          .map(([start = 0, end = 0]) => ({ start, end }))
          .filter(({ start, end }) => start < end);
        const sum = expected.reduce((all, { start, end }) => all + end - start, 0);
        const response = await server.fetch(`/v2/a/blobs/${digest}`, { headers: { range: headerOf(ranges) } });
        const body = await bytesOf(response);
        const type = response.headers.get('content-type');
        if (sum > size) {
          expect([response.status, body.length]).toEqual([200, size]);
        } else if (expected.length === 0) {
          expect(response.status).toBe(416);
        } else if (expected.length === 1) {
          expect([response.status, body.length, type]).toEqual([206, sum, 'application/octet-stream']);
        } else {
          expect(response.status).toBe(206);
          const parts = multipartOf(type, body);
          expect(parts.map(({ headers }) => headers['content-range'])).toEqual(
            expected.map(({ start, end }) => `bytes ${start}-${end - 1}/${size}`),
          );
          expect(parts.every((part, i) => part.body === text.slice(expected[i]?.start, expected[i]?.end))).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('are the slices of the bytes through `fetch`', async () => {
    const registry = createMemoryRegistry();
    await registry.pushBlob('a', descriptor, bytes);
    const { fetch } = createServer(registry);
    const headers = { range: 'bytes=5-300004,-7' };
    const response = await fetch(new Request(`http://x/v2/a/blobs/${digest}`, { headers }));
    const body = await bytesOf(response);
    expect([response.status, response.headers.get('content-length')]).toEqual([206, `${body.length}`]);
    const parts = multipartOf(response.headers.get('content-type'), body);
    expect(parts.map((part) => part.body)).toEqual([text.slice(5, 300_005), text.slice(-7)]);
  });
});

describe('several parts of a file', () => {
  test('are read from one open file, which is closed when the client leaves', async () => {
    const dir = await temporaryDirectory();
    const layout = openLayout(dir, { durability: 'none' });
    const { descriptor, bytes } = randomBlob(40_000_000);
    await layout.pushBlob('a', descriptor, bytes);
    const server = await startServer(layout);
    const file = descriptor.digest.slice('sha256:'.length);
    const openFiles = (): number =>
      readdirSync('/proc/self/fd').filter((fd) => linkOf(join('/proc/self/fd', fd)).endsWith(file)).length;
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const headers = { range: 'bytes=0-15000000,20000000-35000000' };
      const sent = request({ port: server.port, path: `/v2/a/blobs/${descriptor.digest}`, headers, agent: false });
      sent.on('response', resolve).on('error', reject).end();
    });
    expect(response.statusCode).toBe(206);
    expect(openFiles()).toBe(1);
    response.destroy();
    await expect.poll(openFiles).toBe(0);
    await layout.close();
  });

  test('that is cut off ends the connection: the client must not take the answer for complete', async () => {
    const { descriptor, bytes } = randomBlob(500_000);
    const errors: unknown[] = [];
    const registry = partialRegistry({
      getBlob: async (_repository, digest, { range } = {}) => {
        const iterate = async function* (): AsyncGenerator<Uint8Array> {
          yield bytes.slice(0, 100_000);
          throw new Error('the disk is gone');
        };
        return createContent({ descriptor: blobDescriptor(digest, bytes.length), range, source: { iterate } });
      },
    });
    const server = await startServer(registry, { onError: (error) => errors.push(error) });
    const headers = { range: 'bytes=0-199999,300000-400000' };
    const response = server.fetch(`/v2/a/blobs/${descriptor.digest}`, { headers });
    await expect(response.then(bytesOf)).rejects.toThrow();
    expect(errors).toMatchObject([{ message: 'the disk is gone' }]);
  });
});

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

async function bytesOf(response: Response): Promise<Uint8Array> {
  return new Uint8Array(await response.arrayBuffer());
}
