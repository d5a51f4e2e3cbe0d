import { readdir } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { connect as connectWithTls } from 'node:tls';

import { describe, expect, onTestFinished, test } from 'vitest';

import { gate } from '../../../../../test/gate.ts';
import { nextClosedByServer } from '../../../../../test/speak-http.ts';
import { startServer } from '../../../../../test/start-server.ts';
import { temporaryDirectory } from '../../../../../test/temporary-directory.ts';
import { createContent, digestOf, partialRegistry, readSource, RegistryError } from '../../../../model/index.ts';
import type { Registry } from '../../../../model/index.ts';
import { serve } from '../../../../node/index.ts';
import { diskBlobs } from '../../../../stores/blobs/node.ts';
import { createMemoryRegistry } from '../../../../stores/memory/index.ts';
import { testCertificate } from '../../../../testing/node.ts';
import { createServer } from '../../index.ts';
import type { Middleware } from '../../index.ts';

const bytes = new TextEncoder().encode('0123456789');
const digest = digestOf(bytes);
const big = Buffer.alloc(8 * 1024 * 1024, 'ocikit');
const bigDigest = digestOf(big);

async function diskRegistry(): Promise<Registry> {
  return createMemoryRegistry({ blobs: diskBlobs(await temporaryDirectory()) });
}

/** Returns the open files of this process below the directory for temporary files. */
async function openFiles(): Promise<number> {
  const { readlink } = await import('node:fs/promises');
  const names = await readdir('/proc/self/fd');
  const paths = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')));
  return paths.filter((path) => path.includes('/ocikit-')).length;
}

describe.each([
  ['memory', async () => createMemoryRegistry()],
  ['disk', diskRegistry],
])('a large blob in %s', (_name, open) => {
  test('is pushed in a stream and pulled whole, also by several clients at once', async () => {
    const registry = await open();
    const server = await startServer(registry);
    const body = new Blob([big]).stream();
    const location = (await server.fetch('/v2/a/blobs/uploads/', { method: 'POST' })).headers.get('location') ?? '';
    await server.fetch(location, { method: 'PATCH', body, duplex: 'half' } as RequestInit);
    expect((await server.fetch(`${location}?digest=${bigDigest}`, { method: 'PUT' })).status).toBe(201);
    const all = await Promise.all(
      Array.from({ length: 6 }, async () => (await server.fetch(`/v2/a/blobs/${bigDigest}`)).arrayBuffer()),
    );
    for (const one of all) expect(digestOf(new Uint8Array(one))).toBe(bigDigest);
    const range = { range: `bytes=1000003-${big.length - 7}` };
    const part = await (await server.fetch(`/v2/a/blobs/${bigDigest}`, { headers: range })).arrayBuffer();
    expect(Buffer.from(part).equals(big.subarray(1_000_003, -6))).toBe(true);
  });

  test('with clients that disconnect in the middle releases everything', async () => {
    const registry = await open();
    await registry.pushBlob('a', { digest: bigDigest }, big);
    const server = await startServer(registry);
    const request = `GET /v2/a/blobs/${bigDigest} HTTP/1.1\r\nHost: x\r\n\r\n`;
    for (let i = 0; i < 20; i++) {
      const socket = connect(server.port, '127.0.0.1');
      // Three pipelined requests: two answers wait behind the first one when the client disconnects.
      socket.write(request.repeat(3));
      await new Promise((resolve) => socket.once('data', resolve));
      socket.destroy();
    }
    await expect.poll(openFiles).toBe(0);
    const whole = await (await server.fetch(`/v2/a/blobs/${bigDigest}`)).arrayBuffer();
    expect(digestOf(new Uint8Array(whole))).toBe(bigDigest);
  });

  test('with a client that disconnects in the middle of a push can be resumed', async () => {
    const statuses: unknown[] = [];
    const info = (_message: string, { status }: Readonly<Record<string, unknown>>): number => statuses.push(status);
    const server = await startServer(await open(), { logger: { info, warn: info, error: info } });
    const location = (await server.fetch('/v2/a/blobs/uploads/', { method: 'POST' })).headers.get('location') ?? '';
    const half = big.length / 2;
    const socket = connect(server.port, '127.0.0.1');
    socket.write(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: ${big.length}\r\n\r\n`);
    socket.write(big.subarray(0, half));
    const offset = async (): Promise<number> => Number((await server.fetch(location)).headers.get('upload-offset'));
    await expect.poll(offset).toBe(half);
    socket.destroy();
    await expect
      .poll(async () => (await server.fetch(location, { method: 'PATCH', body: big.subarray(half) })).status)
      .toBe(202);
    expect((await server.fetch(`${location}?digest=${bigDigest}`, { method: 'PUT' })).status).toBe(201);
    expect(statuses).toContain(499);
    expect(statuses).not.toContain(500);
  });
});

describe('a connection of node:http', () => {
  test('answers pipelined requests in their order', async () => {
    const registry = createMemoryRegistry();
    await registry.pushBlob('a', { digest }, bytes);
    const server = await startServer(registry);
    const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
    const last = 'GET /v2/_catalog HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
    const answer = await server.speak(get(`/v2/a/blobs/${digest}`) + get('/v2/a/tags/list') + last);
    const at = ['0123456789', '"tags":[]', '"repositories":["a"]'].map((text) => answer.indexOf(text));
    expect(at.every((position) => position > 0)).toBe(true);
    expect(at).toEqual(at.toSorted((a, b) => a - b));
  });

  test('is used again after a refused body that was not read', async () => {
    const server = await startServer(createMemoryRegistry());
    const first = `PUT /v2/a/manifests/t HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Type: text/plain\r\n\r\n{}\n`;
    const answer = await server.speak(`${first}GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(answer.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 415', 'HTTP/1.1 200']);
  });

  test('gets its answer when a large body is refused unread', async () => {
    const server = await startServer(createMemoryRegistry());
    const response = await server.fetch('/v2/a/manifests/t', { method: 'PUT', body: big });
    expect([response.status, await server.codeOf(response)]).toEqual([413, 'CONTENT_TOO_LARGE']);
  });

  test('carries out nothing that follows a large refused body, after which it ends', async () => {
    const registry = createMemoryRegistry();
    await registry.pushBlob('a', { digest }, bytes);
    const server = await startServer(registry);
    const post = 'POST /v2/nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n';
    const last = `DELETE /v2/a/blobs/${digest} HTTP/1.1\r\nHost: x\r\n\r\n`;
    const answer = await server.speak(post + 'x'.repeat(3_000_000) + last);
    expect(answer.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 404']);
    expect((await registry.resolveBlob('a', digest)).size).toBe(10);
  });

  test('ends, and the process goes on, if a middleware sets a header that HTTP does not allow on a large blob', async () => {
    const directory = await temporaryDirectory();
    const registry = createMemoryRegistry({ blobs: diskBlobs(directory) });
    await registry.pushBlob('a', { digest: bigDigest }, big);
    const odd: Middleware = async (exchange, next) => {
      const reply = await next(exchange);
      return exchange.path.includes('/blobs/') ? { ...reply, headers: { ...reply.headers, 'X-Odd': '中' } } : reply;
    };
    const server = await startServer(registry, { middleware: [odd] });
    const status = await server.fetch(`/v2/a/blobs/${bigDigest}`).then(
      (response) => response.status,
      () => 0,
    );
    expect([0, 500]).toContain(status);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await server.fetch('/v2/')).status).toBe(200);
  });

  test('is used again after a store fails in the middle of a body', async () => {
    const registry = partialRegistry({
      async pushBlob(_repository, _blob, source) {
        for await (const _piece of readSource(source)) throw new RegistryError('DENIED', 'too much');
        throw new Error('there was a body');
      },
    });
    const server = await startServer(registry);
    const post = `POST /v2/a/blobs/uploads/?digest=${digest} HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n`;
    const last = 'GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
    const answer = await server.speak(post + 'x'.repeat(900_000) + last);
    expect(answer.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 403', 'HTTP/1.1 200']);
  });

  test('ends if its client reads nothing of an answer', async () => {
    const registry = createMemoryRegistry();
    const huge = Buffer.alloc(32 * 1024 * 1024);
    await registry.pushBlob('a', { digest: digestOf(huge) }, huge);
    const server = await startServer(registry, { limits: { bodyTimeout: 200 } });
    const cut = nextClosedByServer();
    const socket = connect(server.port, '127.0.0.1');
    socket.pause();
    socket.write(`GET /v2/a/blobs/${digestOf(huge)} HTTP/1.1\r\nHost: x\r\n\r\n`);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await cut;
    let taken = 0;
    socket.on('data', (piece: Buffer) => (taken += piece.length));
    socket.on('error', () => undefined);
    socket.resume();
    await closed;
    expect(taken).toBeLessThan(huge.length);
  });

  test('ends after a malformed request, even if the client keeps its side open', async () => {
    const server = await startServer(createMemoryRegistry());
    const socket = connect({ host: '127.0.0.1', port: server.port, allowHalfOpen: true });
    socket.on('error', () => undefined);
    socket.write('nonsense\r\n\r\n');
    const ended = new Promise((resolve) => socket.once('end', resolve));
    socket.resume();
    await ended;
    // A write fails once the server has closed its side.
    await expect
      .poll(
        () => new Promise((resolve) => socket.write('x', (error) => resolve(error !== undefined && error !== null))),
        { interval: 200 },
      )
      .toBe(true);
    socket.destroy();
  });

  test('is cut off when content fails in the middle, so that the client does not take it for complete', async () => {
    const errors: unknown[] = [];
    const registry = partialRegistry({
      getBlob: async () =>
        createContent({
          descriptor: { mediaType: 'application/octet-stream', digest, size: 100_000 },
          source: {
            async *iterate() {
              yield bytes;
              await Promise.resolve();
              throw new Error('the disk is gone');
            },
          },
        }),
    });
    const server = await startServer(registry, { onError: (error) => errors.push(error) });
    const read = server.fetch(`/v2/a/blobs/${digest}`).then((response) => response.arrayBuffer());
    await expect(read).rejects.toThrow();
    expect(errors).toMatchObject([{ message: 'the disk is gone' }]);
  });

  test('with headers that are too long is answered 431 with JSON', async () => {
    const server = await startServer(createMemoryRegistry());
    const answer = await server.speak(`GET /v2/ HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(70_000)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 431 /);
    expect(answer).toContain('"HEADERS_TOO_LARGE"');
  });

  test('that does not use HTTP is answered 400 with JSON', async () => {
    const server = await startServer(createMemoryRegistry());
    expect(await server.speak('\x16\x03\x01 hello\r\n\r\n')).toMatch(/^HTTP\/1.1 400 [^]*"BAD_REQUEST"/);
  });

  test('with headers that come too late is answered 408 with JSON', async () => {
    const server = await startServer(createMemoryRegistry(), { limits: { headersTimeout: 200 } });
    expect(await server.speak('GET /v2/ HTTP/1.1\r\nHost: x\r\n', 5000)).toMatch(
      /^HTTP\/1.1 408 [^]*"REQUEST_TIMEOUT"/,
    );
  });

  test('may send whole URLs, as to a proxy', async () => {
    const server = await startServer(createMemoryRegistry());
    const answer = await server.speak('GET http://x/v2/_catalog?n=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(answer).toContain('{"repositories":[]}');
  });
});

describe('closing a server', () => {
  test('waits for running requests, and accepts no new ones', async () => {
    const asked = gate();
    const held = gate();
    const registry = partialRegistry({
      async *repositories() {
        asked.open();
        await held.opened;
        yield 'a';
      },
    });
    const serving = await serve(registry, { port: 0, allowedHosts: ['x'] });
    const running = fetch(`${serving.url}/v2/_catalog`);
    await asked.opened;
    const closing = serving.close();
    await expect(fetch(`${serving.url}/v2/`)).rejects.toThrow();
    held.open();
    const response = await running;
    expect([response.status, response.headers.get('connection')]).toEqual([200, 'close']);
    await closing;
  });

  test('cuts off the requests that still run after the grace period', async () => {
    const asked = gate();
    const repositories = (): AsyncIterable<never> => {
      asked.open();
      return hangs();
    };
    const serving = await serve(partialRegistry({ repositories }), { port: 0, allowedHosts: ['x'] });
    const running = fetch(`${serving.url}/v2/_catalog`);
    const outcome = expect(running).rejects.toThrow();
    await asked.opened;
    await serving.close(50);
    await outcome;
  });
});

function hangs(): AsyncIterable<never> {
  return { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }) };
}

describe('a large body that no handler reads', () => {
  test.each([
    ['arrives at once', 0],
    ['arrives after a small request', 1],
  ])('waits at its client when it %s', async (_when, requests) => {
    const asked = gate();
    const registry = partialRegistry({
      pushBlob: () => {
        asked.open();
        return new Promise(() => undefined);
      },
    });
    const { node, connection } = createServer(registry);
    let inServer: Socket | undefined;
    const http = createHttpServer(node);
    const listeners = http.listeners('connection');
    http.removeAllListeners('connection');
    http.on('connection', (socket: Socket) => {
      inServer = socket;
      connection(socket, 16 * 1024, (given) => {
        for (const listener of listeners) listener.call(http, given);
      });
    });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    const client = connect((http.address() as AddressInfo).port, '127.0.0.1');
    onTestFinished(() => {
      client.destroy();
      http.close();
    });
    client.write('GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(requests));
    const size = 64 * 1024 * 1024;
    const post = `POST /v2/a/blobs/uploads/?digest=${digest} HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n`;
    client.write(post);
    client.write(Buffer.alloc(size));
    await asked.opened;
    await new Promise((resolve) => setTimeout(resolve, 1000));
    // One or two pieces. All of the body would arrive within this time.
    expect(inServer?.bytesRead).toBeLessThan(1024 * 1024);
  });
});

describe('a refused body', () => {
  const tls = testCertificate(['localhost']);

  test.each([
    ['PUT', '/v2/a/manifests/x', '413'],
    ['PUT', '/v2/a/nothing/x', '404'],
    ['POST', '/v2/a/blobs/uploads/?digest=wrong', '400'],
    ['PATCH', '/v2/a/blobs/uploads/unknown', '404'],
    ['PUT', '/v2/closed/manifests/x', '401'],
    ['GET', '/v2/', '200'],
  ])('loses no answer for a client that sends everything before it reads: %s %s', async (method, path, status) => {
    for (const isTls of [false, true]) {
      const options = { port: 0, allowedHosts: ['x'], middleware: [onlyOpen], tls: isTls ? await tls : undefined };
      const serving = await serve(createMemoryRegistry(), options);
      onTestFinished(async () => void (await serving.close(0)));
      for (const field of ['Content-Length: 20000000', 'Transfer-Encoding: chunked']) {
        const head = `${method} ${path} HTTP/1.1\r\nHost: x\r\n${field}\r\nConnection: close\r\n\r\n`;
        expect(await sendThenRead(serving.port, isTls, head, field)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      }
    }
  });

  test('loses no answer if it is short and its connection ends', async () => {
    const server = await startServer(createMemoryRegistry());
    const field = 'Content-Length: 900000';
    const head = `PUT /v2/a/nothing/x HTTP/1.1\r\nHost: x\r\n${field}\r\nConnection: close\r\n\r\n`;
    expect(await sendThenRead(server.port, false, head, field)).toMatch(/^HTTP\/1\.1 404 /);
  });

  test('loses no answer if its head is too long', async () => {
    const server = await startServer(createMemoryRegistry());
    const field = 'Content-Length: 20000000';
    const head = `PUT /v2/ HTTP/1.1\r\nHost: x\r\n${field}\r\nX: ${'y'.repeat(100_000)}\r\n\r\n`;
    expect(await sendThenRead(server.port, false, head, field)).toMatch(/^HTTP\/1\.1 431 /);
  });

  test('that is short leaves its connection open for the next request', async () => {
    const server = await startServer(createMemoryRegistry());
    const refused = `PUT /v2/a/nothing/x HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n${'x'.repeat(900_000)}`;
    const last = 'GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
    expect(await server.speak(refused + last, 10_000)).toMatch(/^HTTP\/1\.1 404 [^]*HTTP\/1\.1 200 /);
  });
});

const onlyOpen: Middleware = async (exchange, next) => {
  if (exchange.path.includes('/closed/')) throw new RegistryError('UNAUTHORIZED', 'this repository is closed');
  return next(exchange);
};

/** Sends a request as a client does that reads nothing before the last byte of its body is on its way. */
async function sendThenRead(port: number, isTls: boolean, head: string, field: string): Promise<string> {
  const socket: Socket = isTls ? connectWithTls({ port, rejectUnauthorized: false }) : connect(port, '127.0.0.1');
  socket.pause();
  let error: Error | undefined;
  socket.on('error', (given: Error) => (error = given));
  const piece = Buffer.alloc(100_000, 'x');
  const isChunked = field.includes('chunked');
  const count = isChunked ? 200 : Number(/\d+/.exec(field)?.[0]) / piece.length;
  const write = (part: string | Uint8Array): Promise<void> =>
    new Promise((resolve) => socket.write(part, () => resolve()));
  await write(head);
  for (let i = 0; i < count; i++) {
    if (isChunked) await write(`${piece.length.toString(16)}\r\n`);
    await write(piece);
    if (isChunked) await write('\r\n');
  }
  if (isChunked) await write('0\r\n\r\n');
  let answer = '';
  socket.on('data', (given: Buffer) => (answer += given.toString('latin1')));
  socket.resume();
  await new Promise<void>((resolve) => (socket.closed ? resolve() : socket.once('close', () => resolve())));
  if (error !== undefined) throw error;
  return answer;
}

describe('an idle connection', () => {
  test.each([
    ['the fast path', ''],
    ['node:http', 'TE: trailers\r\n'],
  ])('of %s stays open longer than its client was told', async (_path, field) => {
    const server = await startServer(createMemoryRegistry(), { limits: { keepAliveTimeout: 1900 } });
    const socket = connect(server.port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    let answer = '';
    socket.on('data', (piece) => (answer += piece.toString('latin1')));
    const askedAt = performance.now();
    socket.write(`GET /v2/ HTTP/1.1\r\nHost: x\r\n${field}\r\n`);
    await new Promise((resolve) => socket.once('close', resolve));
    expect(answer).toMatch(/\r\nKeep-Alive: timeout=1\r\n/);
    expect(performance.now() - askedAt).toBeGreaterThan(2500);
  });
});
