import { randomFillSync } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, describe, expect, test } from 'vitest';

import { cuttingProxy } from '../../../../test/cutting-proxy.ts';
import { startServer } from '../../../../test/start-server.ts';
import { digestOf } from '../../../model/index.ts';
import type { BlobSource, Digest, Registry, TransferEvent } from '../../../model/index.ts';
import { nodeFetch, openTransfers } from '../../../node/index.ts';
import type { ServeOptions } from '../../../node/index.ts';
import { createMemoryRegistry } from '../../../stores/memory/index.ts';
import type { Exchange, Middleware } from '../../server/index.ts';

import { createClient } from '../client.ts';
import type { ClientOptions } from '../shared/index.ts';

const mebibyte = 1024 * 1024;
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

interface Blob {
  digest: Digest;
  size: number;
  bytes: Uint8Array<ArrayBuffer>;
}

function blobOf(size: number): Blob {
  const bytes = randomFillSync(new Uint8Array(size));
  return { bytes, size, digest: digestOf(bytes) };
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

interface Requested {
  method: string;
  path: string;
  range: string | undefined;
  length: string | undefined;
}

interface Setting {
  store: Registry;
  client: (changes?: Partial<ClientOptions>) => Registry;
  port: number;
  /** The requests to the server, in order. */
  requests: Requested[];
  methods: () => string[];
}

async function setUp({ middleware = [], ...options }: ServeOptions = {}): Promise<Setting> {
  const store = createMemoryRegistry();
  const requests: Requested[] = [];
  const record: Middleware = (exchange, next) => {
    const { method, path } = exchange;
    requests.push({
      method,
      path,
      range: exchange.header('content-range'),
      length: exchange.header('content-length'),
    });
    return next(exchange);
  };
  const server = await startServer(store, { ...options, middleware: [record, ...middleware] });
  ends.push(() => server.close());
  const host = new URL(server.url).host;
  return {
    store,
    port: server.port,
    requests,
    methods: () => requests.map(({ method }) => method),
    client: (changes) => createClient({ host, backOff: { first: 5 }, ...changes }),
  };
}

async function expectStored(store: Registry, { digest, bytes }: Blob): Promise<void> {
  const content = await store.getBlob('a/b', digest);
  expect(Buffer.compare(await content.bytes(), bytes)).toBe(0);
}

/** Befalls the first so many requests of a method. */
function first(times: number, method: string, fault: Middleware): Middleware {
  let left = times;
  return (exchange, next) => (exchange.method === method && left-- > 0 ? fault(exchange, next) : next(exchange));
}

const refuse =
  (status: number): Middleware =>
  async () => ({ status, headers: { 'Content-Length': '0' } });

describe('pushing a blob', () => {
  // The first test of all, as later ones find loaded what sends.
  test('of a stream that fails before anything was sent fails with its error, and asks for nothing', async () => {
    const { client, requests } = await setUp();
    const missing = createReadStream(join(tmpdir(), 'ocikit-there-is-no-such-file'));
    const { digest } = blobOf(10);
    await expect(client().pushBlob('a/b', { digest }, missing)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(requests).toEqual([]);
  });

  test('takes two requests if it is small, and three if it is large and can be sent again', async () => {
    const { store, client, methods, requests } = await setUp();
    const small = blobOf(3 * mebibyte);
    const large = blobOf(5 * mebibyte);
    await client().pushBlob('a/b', small, small.bytes);
    await client().pushBlob('a/b', large, large.bytes);
    await client().pushBlob('a/b', large, pieces(large.bytes));
    expect(methods()).toEqual(['POST', 'PUT', 'POST', 'PATCH', 'PUT', 'POST', 'PUT']);
    expect(requests[1]).toMatchObject({ length: `${small.size}`, range: undefined });
    expect(requests[3]).toMatchObject({ length: `${large.size}`, range: `0-${large.size - 1}` });
    await expectStored(store, small);
    await expectStored(store, large);
  });

  test.each([
    ['bytes', (bytes: Uint8Array<ArrayBuffer>): BlobSource => bytes],
    ['a Blob', (bytes: Uint8Array<ArrayBuffer>): BlobSource => new Blob([bytes])],
    [
      'a function that opens a stream',
      (bytes: Uint8Array<ArrayBuffer>): BlobSource =>
        () =>
          pieces(bytes),
    ],
  ])(
    'of %s completes though its connection is cut ten times, and sends less than 1.1 times its size',
    async (_, of) => {
      for (const fetch of [undefined, nodeFetch()]) {
        const { store, port, client } = await setUp();
        const blob = blobOf(16 * mebibyte);
        const cuts = Array.from({ length: 10 }, (_unused, i) => (i + 1) * 1.5 * mebibyte - 12_345);
        const proxy = await cuttingProxy(port, cuts);
        ends.push(() => proxy.close());
        const events: TransferEvent[] = [];
        await client({ host: proxy.host, fetch }).pushBlob('a/b', blob, of(blob.bytes), {
          onEvent: (event) => events.push(event),
        });
        await expectStored(store, blob);
        expect(proxy.cuts).toBe(10);
        expect(proxy.sent).toBeGreaterThan(blob.size);
        expect(proxy.sent).toBeLessThan(1.1 * blob.size);
        const transferred = events.flatMap((event) => (event.type === 'bytes' ? [event.transferred] : []));
        expect(transferred).toEqual(transferred.toSorted((a, b) => a - b));
        expect(transferred.at(-1)).toBe(blob.size);
        expect(events.filter(({ type }) => type === 'resumed').length).toBeGreaterThanOrEqual(9);
        expect(events.at(-1)?.type).toBe('done');
      }
    },
  );

  test('of a stream that can be read only once fails if it is cut, and leaves no upload', async () => {
    const { store, port, client } = await setUp();
    const blob = blobOf(8 * mebibyte);
    const proxy = await cuttingProxy(port, [3 * mebibyte]);
    ends.push(() => proxy.close());
    const push = client({ host: proxy.host }).pushBlob('a/b', blob, pieces(blob.bytes));
    await expect(push).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(store.resolveBlob('a/b', blob.digest)).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
  });

  test('is done if only the answer to its last bytes was lost', async () => {
    const lose: Middleware = async (exchange, next) => {
      await next(exchange);
      throw new Error('the answer is lost');
    };
    const { store, client, methods } = await setUp({ middleware: [first(1, 'PUT', lose)] });
    const blob = blobOf(5 * mebibyte);
    await client().pushBlob('a/b', blob, blob.bytes);
    expect(methods()).toEqual(['POST', 'PATCH', 'PUT', 'GET', 'HEAD']);
    await expectStored(store, blob);
  });

  test('continues at the registry’s position if it has kept less or more than assumed', async () => {
    const half: Middleware = async (exchange, next) => {
      const bytes: Uint8Array[] = [];
      for await (const piece of exchange.body ?? []) bytes.push(piece.slice());
      const all = Buffer.concat(bytes).subarray(0, 2 * mebibyte);
      await next({
        ...exchange,
        body: pieces(all),
        header: (name) => (name.startsWith('content-') ? undefined : exchange.header(name)),
      });
      return { status: 500, headers: {} };
    };
    const { store, client, requests } = await setUp({ middleware: [first(1, 'PATCH', half)] });
    const blob = blobOf(5 * mebibyte);
    await client().pushBlob('a/b', blob, blob.bytes);
    expect(requests.map(({ method, range }) => `${method} ${range ?? ''}`)).toEqual([
      'POST ',
      `PATCH 0-${blob.size - 1}`,
      'GET ',
      // A small chunk first: if the registry has not noticed the cut yet, no more than that is sent in vain.
      `PATCH ${2 * mebibyte}-${2 * mebibyte + 65_535}`,
      `PATCH ${2 * mebibyte + 65_536}-${blob.size - 1}`,
      'PUT ',
    ]);
    await expectStored(store, blob);
  });

  test('asks the session after a 416, and continues', async () => {
    const { store, client, methods } = await setUp({ middleware: [first(1, 'PATCH', refuse(416))] });
    const blob = blobOf(5 * mebibyte);
    await client().pushBlob('a/b', blob, blob.bytes);
    expect(methods()).toEqual(['POST', 'PATCH', 'GET', 'PATCH', 'PUT']);
    await expectStored(store, blob);
  });

  test('gives up on a registry that says 416 to everything', async () => {
    const { client } = await setUp({ middleware: [first(1000, 'PATCH', refuse(416))] });
    const blob = blobOf(5 * mebibyte);
    await expect(client().pushBlob('a/b', blob, blob.bytes)).rejects.toMatchObject({ code: 'RANGE_INVALID' });
  });

  test.each([5 * mebibyte, 3 * mebibyte])(
    'of %i bytes gets smaller chunks where something answers 413',
    async (size) => {
      const most = mebibyte;
      const limit: Middleware = (exchange, next) =>
        Number(exchange.header('content-length') ?? 0) > most ? refuse(413)(exchange, next) : next(exchange);
      const { store, client, requests } = await setUp({ middleware: [limit] });
      const registry = client();
      const blob = blobOf(size);
      await registry.pushBlob('a/b', blob, blob.bytes);
      await expectStored(store, blob);
      // The next push knows the limit already.
      requests.length = 0;
      const next = blobOf(size);
      await registry.pushBlob('a/b', next, pieces(next.bytes));
      await expectStored(store, next);
      expect(requests.every(({ length }) => Number(length ?? 0) <= most)).toBe(true);
      expect(requests.some(({ method }) => method === 'GET')).toBe(false);
    },
  );

  test('keeps to the chunk size of its options, and to the least that the registry wants', async () => {
    const withMinimum: Middleware = async (exchange, next) => {
      const reply = await next(exchange);
      return { ...reply, headers: { ...reply.headers, 'OCI-Chunk-Min-Length': '300000' } };
    };
    for (const [middleware, most] of [
      [[], 200_000],
      [[withMinimum], 300_000],
    ] as const) {
      const { store, client, requests } = await setUp({ middleware });
      const blob = blobOf(1_000_000);
      for (const source of [blob.bytes, pieces(blob.bytes), () => pieces(blob.bytes)]) {
        requests.length = 0;
        await client({ chunkSize: 200_000 }).pushBlob('a/b', blob, source);
        const lengths = requests.flatMap(({ method, length }) => (method === 'PATCH' ? [Number(length)] : []));
        expect(lengths.slice(0, -1).every((length) => length === most)).toBe(true);
        expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(blob.size);
      }
      await expectStored(store, blob);
    }
  });

  test('waits for a registry that has not noticed the cut yet, and sends little meanwhile', async () => {
    const body = JSON.stringify({ errors: [{ code: 'BLOB_UPLOAD_INVALID', message: 'somebody is writing' }] });
    const busy: Middleware = async () => ({ status: 400, headers: { 'Content-Length': `${body.length}` }, body });
    let patches = 0;
    const middleware: Middleware = (exchange, next) => {
      if (exchange.method !== 'PATCH') return next(exchange);
      patches++;
      if (patches === 1) return refuse(502)(exchange, next);
      return patches < 5 ? busy(exchange, next) : next(exchange);
    };
    const { store, client, requests } = await setUp({ middleware: [middleware] });
    const blob = blobOf(5 * mebibyte);
    await client().pushBlob('a/b', blob, blob.bytes);
    const lengths = requests.flatMap(({ method, length }) => (method === 'PATCH' ? [Number(length)] : []));
    expect(lengths).toEqual([blob.size, 65_536, 65_536, 65_536, 65_536, blob.size - 65_536]);
    await expectStored(store, blob);
  });

  test.each(['PATCH', 'PUT'])(
    'survives that %s is answered 401, also with a stream that can be opened again',
    async (method) => {
      const challenge: Middleware = (exchange, next) =>
        exchange.header('authorization') === undefined && exchange.method === method
          ? Promise.resolve({ status: 401, headers: { 'WWW-Authenticate': 'Basic realm="a"', 'Content-Length': '0' } })
          : next(exchange);
      const credentials = (): { username: string; password: string } => ({ username: 'me', password: 'secret' });
      for (const of of [(bytes: Uint8Array) => bytes, (bytes: Uint8Array) => () => pieces(bytes)]) {
        const { store, client, methods } = await setUp({ middleware: [challenge] });
        const blob = blobOf(5 * mebibyte);
        await client({ credentials }).pushBlob('a/b', blob, of(blob.bytes));
        const twice = (name: string): string[] => (name === method ? [name, name] : [name]);
        expect(methods()).toEqual(['POST', ...twice('PATCH'), ...twice('PUT')]);
        await expectStored(store, blob);
      }
    },
  );

  test('begins anew if the registry has forgotten its upload', async () => {
    const forget: Middleware = async () => {
      const body = JSON.stringify({ errors: [{ code: 'BLOB_UPLOAD_UNKNOWN' }] });
      return { status: 404, headers: { 'Content-Length': `${body.length}` }, body };
    };
    const { store, client, methods } = await setUp({ middleware: [first(1, 'PATCH', forget)] });
    const blob = blobOf(5 * mebibyte);
    await client().pushBlob('a/b', blob, blob.bytes);
    expect(methods()).toEqual(['POST', 'PATCH', 'DELETE', 'POST', 'PATCH', 'PUT']);
    await expectStored(store, blob);
  });

  test('cancels its upload when it fails', async () => {
    const { client, methods } = await setUp();
    const blob = blobOf(5 * mebibyte);
    const wrong = blobOf(5 * mebibyte).digest;
    const push = client().pushBlob('a/b', { ...blob, digest: wrong }, blob.bytes);
    await expect(push).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
    expect(methods()).toEqual(['POST', 'PATCH', 'PUT', 'DELETE']);
  });

  test('does not read a source that can be read only once before the push is authorized', async () => {
    const { client } = await setUp({ middleware: [first(1000, 'POST', refuse(401))] });
    let taken = 0;
    const source = (async function* () {
      for (;;) {
        taken += 65_536;
        yield new Uint8Array(65_536);
      }
    })();
    const { digest } = blobOf(10);
    const push = client().pushBlob('a/b', { digest, size: 100 * mebibyte }, source);
    await expect(push).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    expect(taken).toBe(0);
  });

  test('follows the Location of each answer, and leaves its query as it is', async () => {
    const seen: string[] = [];
    const signed: Middleware = async (exchange: Exchange, next) => {
      if (exchange.path.includes('/uploads/') && exchange.method !== 'POST') seen.push(exchange.query);
      const reply = await next(exchange);
      const { Location } = reply.headers;
      if (reply.status !== 202 || typeof Location !== 'string') return reply;
      return { ...reply, headers: { ...reply.headers, Location: `${Location}?_state=a%2Fb+c~${seen.length}&x` } };
    };
    const { store, client } = await setUp({ middleware: [signed] });
    const blob = blobOf(5 * mebibyte);
    await client().pushBlob('a/b', blob, blob.bytes);
    expect(seen).toEqual(['_state=a%2Fb+c~0&x', `_state=a%2Fb+c~1&x&digest=${encodeURIComponent(blob.digest)}`]);
    await expectStored(store, blob);
  });
});

describe('a push with a transfer store', () => {
  async function stateDirectory(): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), 'ocikit-push-'));
    ends.push(() => rm(directory, { recursive: true, force: true }));
    return directory;
  }

  test.each([
    [
      'a function that opens a stream',
      (bytes: Uint8Array<ArrayBuffer>): BlobSource =>
        () =>
          pieces(bytes),
    ],
    ['a stream', (bytes: Uint8Array<ArrayBuffer>): BlobSource => pieces(bytes)],
  ])('of %s is resumed by another client, and leaves nothing behind', async (_, of) => {
    const { store, client, requests } = await setUp();
    const directory = await stateDirectory();
    const blob = blobOf(16 * mebibyte);
    const controller = new AbortController();
    const interrupted = client({ transfers: openTransfers(directory) }).pushBlob('a/b', blob, of(blob.bytes), {
      signal: controller.signal,
      onEvent: (event) => {
        if (event.type === 'bytes' && event.transferred > 8 * mebibyte) controller.abort(new Error('enough'));
      },
    });
    await expect(interrupted).rejects.toThrow('enough');
    requests.length = 0;
    const events: TransferEvent[] = [];
    await client({ transfers: openTransfers(directory) }).pushBlob('a/b', blob, of(blob.bytes), {
      onEvent: (event) => events.push(event),
    });
    await expectStored(store, blob);
    const resumed = events.find(({ type }) => type === 'resumed');
    expect(resumed).toMatchObject({ type: 'resumed' });
    expect(requests.map(({ method }) => method)).toContain('GET');
    expect(requests.map(({ method }) => method)).not.toContain('POST');
    expect(await readdir(directory)).toEqual([]);
  });

  test('begins anew if the registry has forgotten the upload, or if the sent bytes were wrong', async () => {
    const { store, client } = await setUp();
    const transfers = openTransfers(await stateDirectory());
    const blob = blobOf(8 * mebibyte);
    const registry = client({ transfers });
    const other = await registry.startUpload('a/b');
    await other.append(blobOf(100).bytes);
    let noted: string | undefined = other.id;
    const spoilt = {
      ...transfers,
      note: async () => noted,
      setNote: async (_key: string, value: string | undefined) => void (noted = value),
    };
    await client({ transfers: spoilt }).pushBlob('a/b', blob, blob.bytes);
    await expectStored(store, blob);
    expect(noted).toBeUndefined();
    const next = blobOf(8 * mebibyte);
    noted = other.id.replace(/[^/]*$/, 'gone');
    await client({ transfers: spoilt }).pushBlob('a/b', next, next.bytes);
    await expectStored(store, next);
  });

  test('is not resumed by two at a time', async () => {
    const { store, client } = await setUp();
    const transfers = openTransfers(await stateDirectory());
    const blob = blobOf(8 * mebibyte);
    await Promise.all([1, 2, 3].map(() => client({ transfers }).pushBlob('a/b', blob, () => pieces(blob.bytes))));
    await expectStored(store, blob);
  });
});
