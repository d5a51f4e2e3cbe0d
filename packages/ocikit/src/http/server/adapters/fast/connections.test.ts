import { connect, createServer as createNetServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { connect as connectWithTls } from 'node:tls';

import { generate } from 'selfsigned';
import { describe, expect, onTestFinished, test } from 'vitest';

import { nextClosedByServer, speakTo, statuses } from '../../../../../test/speak-http.ts';
import { startServer } from '../../../../../test/start-server.ts';
import { createContent, digestOf, partialRegistry } from '../../../../model/index.ts';
import { serve } from '../../../../node/index.ts';
import type { ServeOptions } from '../../../../node/index.ts';
import { createMemoryRegistry } from '../../../../stores/memory/index.ts';
import { createServer } from '../../index.ts';
import type { Reply } from '../../index.ts';

const bytes = Buffer.from('0123456789');
const digest = digestOf(bytes);
const get = 'GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n';
const last = 'GET /v2/_catalog HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
/** The fast path does not answer it. */
const odd = get.replace('Host', 'TE: trailers\r\nHost');
const push = `POST /v2/a/blobs/uploads/?digest=${digest} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789`;

describe('a connection on the fast path', () => {
  test('accepts requests in two parts, wherever they are cut', async () => {
    const server = await startServer(createMemoryRegistry());
    const { socket, heard, answers } = speakTo(server);
    const text = push + get;
    let count = 0;
    for (let cut = 1; cut < text.length; cut += 3) {
      socket.write(text.slice(0, cut), 'latin1');
      await new Promise((resolve) => setImmediate(resolve));
      socket.write(text.slice(cut), 'latin1');
      count += 2;
      await answers(count);
    }
    expect(new Set(statuses(heard()))).toEqual(new Set(['201', '200']));
  });

  test('answers pipelined requests in their order, whichever parser reads them', async () => {
    const server = await startServer(createMemoryRegistry());
    const chunked =
      `POST /v2/a/blobs/uploads/?digest=${digest} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n` +
      'a\r\n0123456789\r\n0\r\n\r\n';
    const missing = 'GET /v2/a/manifests/none HTTP/1.1\r\nHost: x\r\n\r\n';
    const answer = await server.speak(get + push + missing + chunked + get + odd + push + missing + last);
    expect(statuses(answer)).toEqual(['200', '201', '404', '201', '200', '200', '201', '404', '200']);
  });

  test.each([
    ['what is not HTTP', 'GARBAGE\r\n\r\n', '400'],
    ['a head that is too long', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(67_000)}\r\n\r\n`, '431'],
  ])('answers %s after all earlier requests', async (_name, broken, status) => {
    const server = await startServer(createMemoryRegistry(), {
      middleware: [
        async (exchange, next) => {
          await new Promise((resolve) => setTimeout(resolve, 50));
          return next(exchange);
        },
      ],
    });
    const head = `HEAD /v2/a/manifests/none HTTP/1.1\r\nHost: x\r\n\r\n`;
    const answer = await server.speak(odd + head + push + broken);
    expect(statuses(answer)).toEqual(['200', '404', '201', status]);
    const alone = await server.speak(broken);
    expect(statuses(alone)).toEqual([status]);
  });

  test('does so over TLS as well', async () => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }]);
    const server = await startServer(createMemoryRegistry(), { tls: { cert, key } });
    const socket = connectWithTls({ port: server.port, host: '127.0.0.1', rejectUnauthorized: false });
    let text = '';
    socket.on('data', (piece: Buffer) => (text += piece.toString('latin1')));
    socket.write(get + push + odd + last);
    await new Promise((resolve) => socket.once('close', resolve));
    expect(statuses(text)).toEqual(['200', '201', '200', '200']);
  });

  test.each([
    ['the lightest cipher that a usual client offers', {}, 'TLS_AES_128_GCM_SHA256'],
    ['the only cipher of its client', { ciphers: 'TLS_AES_256_GCM_SHA384' }, 'TLS_AES_256_GCM_SHA384'],
    ['a cipher of TLS 1.2', { maxVersion: 'TLSv1.2' } as const, 'ECDHE-RSA-AES128-GCM-SHA256'],
  ])('over TLS has %s', async (_name, options, cipher) => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }]);
    const server = await startServer(createMemoryRegistry(), { tls: { cert, key } });
    const socket = connectWithTls({ port: server.port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
    onTestFinished(() => void socket.destroy());
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    expect(socket.getCipher().name).toBe(cipher);
  });

  test('over TLS answers a malformed request, even with more bytes behind it', async () => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }]);
    const server = await startServer(createMemoryRegistry(), { tls: { cert, key } });
    const socket = connectWithTls({ port: server.port, host: '127.0.0.1', rejectUnauthorized: false });
    onTestFinished(() => void socket.destroy());
    let text = '';
    socket.on('data', (piece: Buffer) => (text += piece.toString('latin1')));
    socket.on('error', () => undefined);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    socket.write(`${get}GARBAGE\r\n\r\n${get.repeat(3000)}`);
    await closed;
    expect(statuses(text)).toEqual(['200', '400']);
  });

  test('answers every request that its client sent before it ended its side', async () => {
    const server = await startServer(createMemoryRegistry());
    const { socket, heard, closed } = speakTo(server, true);
    socket.end(get + push + get);
    await closed;
    expect(statuses(heard())).toEqual(['200', '201', '200']);
  });

  test('ends if the client ends its side after a request for node:http', async () => {
    const server = await startServer(createMemoryRegistry());
    const { socket, heard, closed } = speakTo(server, true);
    socket.end(get + push + odd);
    await closed;
    expect(statuses(heard())).toEqual(['200', '201']);
  });

  test('ends after the answer to a request that asks for it, and answers no request behind it', async () => {
    let asked = 0;
    const { connection } = createServer(createMemoryRegistry(), {
      middleware: [
        async (exchange, next) => {
          asked++;
          return next(exchange);
        },
      ],
    });
    let handedOver = 0;
    const listener = createNetServer((socket) => connection(socket, 16 * 1024, () => handedOver++));
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void listener.close());
    const { socket, heard, closed } = speakTo(listener.address() as AddressInfo);
    socket.write(get + push.replace('Host', 'Connection: close\r\nHost') + get);
    await closed;
    expect(statuses(heard())).toEqual(['200', '201']);
    expect(heard()).toMatch(/201 Created\r\n[^]*\r\nConnection: close\r\n/);
    expect([asked, handedOver]).toEqual([2, 0]);
  });

  test('ends if the client ends its side in the middle of a request', async () => {
    const server = await startServer(createMemoryRegistry());
    const { socket, closed } = speakTo(server, true);
    socket.end(push.slice(0, -3));
    socket.resume();
    await closed;
  });

  test('accepts a body that comes late', async () => {
    const server = await startServer(createMemoryRegistry());
    const { socket, heard, answers } = speakTo(server);
    socket.write(push.slice(0, -3));
    await new Promise((resolve) => setTimeout(resolve, 400));
    socket.write(push.slice(-3) + get);
    await answers(2);
    expect(statuses(heard())).toEqual(['201', '200']);
  });

  test('asks for a body if the client sends Expect: 100-continue', async () => {
    const server = await startServer(createMemoryRegistry());
    const { socket, heard, answers } = speakTo(server);
    socket.write(get);
    await answers(1);
    socket.write(push.slice(0, -10).replace('Host', 'Expect: 100-continue\r\nHost'));
    await answers(2);
    expect(statuses(heard())).toEqual(['200', '100']);
    socket.write('0123456789');
    await answers(3);
    expect(statuses(heard())).toEqual(['200', '100', '201']);
  });

  test('does not take the body of one request for another request', async () => {
    const server = await startServer(createMemoryRegistry());
    const hidden = 'DELETE /v2/a/manifests/t HTTP/1.1\r\nHost: x\r\n\r\n';
    const one = `PUT /v2/a/manifests/t HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: ${hidden.length}`;
    const both = `${one}\r\nTransfer-Encoding: chunked\r\n\r\n${hidden}`;
    expect(statuses(await server.speak(`${one}\r\n\r\n${hidden}${last}`))).toEqual(['415', '200']);
    expect(statuses(await server.speak(both))).toEqual(['400']);
  });

  test('stops reading requests if its client reads no answers', async () => {
    let asked = 0;
    const big = Buffer.alloc(60_000);
    const registry = partialRegistry({
      getManifest: async () => {
        asked++;
        return { descriptor: { mediaType: 'a/b', digest, size: big.length }, bytes: big };
      },
    });
    const server = await startServer(registry, { limits: { bodyTimeout: 1000 } });
    const cut = nextClosedByServer();
    const socket = connect({ port: server.port, host: '127.0.0.1' });
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => undefined);
    socket.pause();
    const request = `GET /v2/a/manifests/${digest} HTTP/1.1\r\nHost: x\r\n\r\n`;
    for (let i = 0; i < 20; i++) socket.write(request.repeat(1000));
    await cut;
    const before = asked;
    expect(before).toBeLessThan(1000);
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
    expect(asked).toBe(before);
  });

  // At once, as each takes longer than a time-out that no pause of the machine reaches.
  test('stays open while its client reads slowly, with small requests, with others and with TLS', async () => {
    const big = Buffer.alloc(14 * 1024 * 1024);
    const registry = partialRegistry({
      getManifest: async () => ({ descriptor: { mediaType: 'a/b', digest, size: big.length }, bytes: big }),
    });
    const limits = { bodyTimeout: 5000 };
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }]);
    const plain = { host: '127.0.0.1', port: (await startServer(registry, { limits })).port };
    const secure = { host: '127.0.0.1', port: (await startServer(registry, { limits, tls: { cert, key } })).port };
    const readSlowly = async (socket: Socket, field: string): Promise<number> => {
      onTestFinished(() => void socket.destroy());
      const startedAt = Date.now();
      let count = 0;
      socket.on('data', (piece: Buffer) => {
        count += piece.length;
        // By the clock, not for each piece: TLS gives many small ones, and each timer may be late.
        const early = count / 2000 - (Date.now() - startedAt);
        if (early < 1) return;
        socket.pause();
        setTimeout(() => socket.resume(), early);
      });
      socket.write(`GET /v2/a/manifests/${digest} HTTP/1.1\r\n${field}Host: x\r\n\r\n`);
      await expect.poll(() => count).toBeGreaterThan(big.length);
      return Date.now() - startedAt;
    };
    const took = await Promise.all([
      readSlowly(connect(plain), ''),
      readSlowly(connect(plain), 'TE: trailers\r\n'),
      readSlowly(connectWithTls({ ...secure, rejectUnauthorized: false }), ''),
    ]);
    for (const milliseconds of took) expect(milliseconds).toBeGreaterThan(limits.bodyTimeout);
  });

  test.each(['', 'TE: trailers\r\n'])('ends if its client reads nothing of a large answer', async (field) => {
    const big = Buffer.alloc(16 * 1024 * 1024);
    const registry = partialRegistry({
      getManifest: async () => ({ descriptor: { mediaType: 'a/b', digest, size: big.length }, bytes: big }),
    });
    const server = await startServer(registry, { limits: { bodyTimeout: 300 } });
    const cut = nextClosedByServer();
    const { socket, heard, closed } = speakTo(server);
    socket.pause();
    socket.write(`GET /v2/a/manifests/${digest} HTTP/1.1\r\n${field}Host: x\r\n\r\n`);
    await cut;
    socket.resume();
    await closed;
    expect(heard().length).toBeLessThan(big.length);
  });

  test.each([
    ['for another request', {}, 60_000],
    ['for its end', { Connection: 'close' }, 200],
  ])('that waits %s is cut off if its client reads nothing', async (_name, headers, bodyTimeout) => {
    let inServer: Socket | undefined;
    const { connection } = createServer(createMemoryRegistry(), {
      limits: { bodyTimeout },
      middleware: [async () => ({ status: 200, headers, body: 'abc' })],
    });
    const listener = createNetServer((socket) => {
      inServer = socket;
      // Simulates a client that reads nothing.
      socket._write = () => undefined;
      connection(socket, 16 * 1024, () => undefined);
    });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void listener.close());
    const { socket, closed } = speakTo(listener.address() as AddressInfo);
    socket.write(get);
    await expect.poll(() => inServer?.writableLength, { interval: 5 }).toBeGreaterThan(0);
    // An idle connection would end after a minute.
    if (bodyTimeout === 60_000) inServer?.emit('timeout');
    await closed;
  });

  test('that has ended accepts no further requests', async () => {
    let asked = 0;
    const server = await startServer(createMemoryRegistry(), {
      middleware: [
        async (exchange, next) => {
          asked++;
          await new Promise((resolve) => setTimeout(resolve, 1));
          return next(exchange);
        },
      ],
    });
    const { socket, closed } = speakTo(server);
    socket.write(get.repeat(1000));
    await expect.poll(() => asked, { interval: 1 }).toBeGreaterThan(5);
    socket.resetAndDestroy();
    await closed;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(asked).toBeLessThan(100);
  });

  test.each([
    ['a small request', ''],
    ['another request', 'TE: trailers\r\n'],
  ])('aborts the signal of %s when its client disconnects', async (_name, field) => {
    let signal: AbortSignal | undefined;
    const registry = partialRegistry({
      resolveBlob: (_repository, _digest, options) => {
        signal = options?.signal;
        return new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal?.reason)));
      },
    });
    const server = await startServer(registry);
    const { socket } = speakTo(server);
    socket.write(`HEAD /v2/a/blobs/${digest} HTTP/1.1\r\n${field}Host: x\r\n\r\n`);
    await expect.poll(() => signal, { interval: 5 }).toBeDefined();
    socket.destroy();
    await expect.poll(() => signal?.aborted, { interval: 20 }).toBe(true);
  });

  test('sends the date, the keep-alive time and the API version in its answers', async () => {
    const server = await startServer(createMemoryRegistry());
    const { socket, heard, answers } = speakTo(server);
    socket.write(get);
    await answers(1);
    expect(heard()).toMatch(
      /^HTTP\/1\.1 200 OK\r\n[^]*Content-Length: 2\r\n[^]*Date: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r\nConnection: keep-alive\r\nKeep-Alive: timeout=60\r\n\r\n\{\}$/,
    );
    expect(heard()).toContain('\r\nDocker-Distribution-API-Version: registry/2.0\r\n');
  });

  test('answers HEAD without a body, and the requests after it', async () => {
    const server = await startServer(createMemoryRegistry());
    const { socket, heard, answers } = speakTo(server);
    socket.write(push);
    await answers(1);
    socket.write(`HEAD /v2/a/blobs/${digest} HTTP/1.1\r\nHost: x\r\n\r\n${get}`);
    await answers(3);
    expect(statuses(heard())).toEqual(['201', '200', '200']);
    expect(heard()).toMatch(/Content-Length: 10\r\n(?:[^\r]+\r\n)+\r\nHTTP/);
  });

  test('ends with its answer when the server stops, and at once if it is idle', async () => {
    const serving = await serve(createMemoryRegistry(), { port: 0, allowedHosts: ['x'] });
    const idle = speakTo(serving);
    const fresh = speakTo(serving);
    idle.socket.write(get);
    await idle.answers(1);
    await serving.close();
    await Promise.all([idle.closed, fresh.closed]);
  });

  test('ends after an answer that had started before the server began to stop', async () => {
    let goOn = (): void => undefined;
    const gate = new Promise<void>((resolve) => (goOn = resolve));
    const half = Buffer.alloc(100_000, 'a');
    const registry = partialRegistry({
      getBlob: async () =>
        createContent({
          descriptor: { mediaType: 'a/b', digest, size: 2 * half.length },
          source: {
            async *iterate() {
              yield half;
              await gate;
              yield half;
            },
          },
        }),
    });
    const serving = await serve(registry, { port: 0, allowedHosts: ['x'] });
    const { socket, heard, closed } = speakTo(serving);
    socket.write(`GET /v2/a/blobs/${digest} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await expect.poll(() => heard().length, { interval: 5 }).toBeGreaterThan(half.length);
    const startedAt = Date.now();
    const stopped = serving.close(100_000);
    goOn();
    await Promise.all([stopped, closed]);
    expect(Date.now() - startedAt).toBeLessThan(60_000);
    expect(heard().split('\r\n\r\n')[1]).toHaveLength(2 * half.length);
  });
});

describe('an answer that a middleware makes', () => {
  const answering = (reply: Reply): ServeOptions => ({
    middleware: [async (exchange, next) => (exchange.query === 'x' ? reply : next(exchange))],
  });

  test.each([
    ['HEAD', 'an answer that cannot be sent', { status: 200, headers: { 'X-Trick': '\u0100' }, body: 'abc' }, '500'],
    ['GET', '204', { status: 204, headers: {}, body: 'abc' }, '204'],
    ['GET', '304', { status: 304, headers: {}, body: 'abc' }, '304'],
  ])(
    'to %s, %s, has no body, as the client would parse the body as the next answer',
    async (method, _name, reply, status) => {
      const server = await startServer(createMemoryRegistry(), answering(reply));
      const answer = await server.speak(`${method} /v2/?x HTTP/1.1\r\nHost: x\r\n\r\n${last}`);
      expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} (?:[^\\r]+\\r\\n)+\\r\\nHTTP/1\\.1 200 OK\\r\\n`));
    },
  );

  test.each([99, 103, 1000, NaN, 200.5])('with the status %d is refused', async (status) => {
    const server = await startServer(createMemoryRegistry(), answering({ status, headers: {} }));
    const answer = await server.speak(get.replace('/v2/', '/v2/?x') + last);
    expect(statuses(answer)).toEqual(['500', '200']);
  });

  test('has the connection headers of this server, not those of the server it came from', async () => {
    const headers = { date: 'x', 'transfer-encoding': 'chunked', 'keep-alive': 'timeout=1', connection: 'keep-alive' };
    const server = await startServer(createMemoryRegistry(), answering({ status: 200, headers, body: 'abc' }));
    const answer = await server.speak(get.replace('/v2/', '/v2/?x') + last);
    expect(statuses(answer)).toEqual(['200', '200']);
    const [head = ''] = answer.split('\r\n\r\n');
    expect(head).not.toMatch(/transfer-encoding|timeout=1\r|date: x/i);
    expect([...head.matchAll(/^(?:date|connection|keep-alive|content-length):/gim)]).toHaveLength(4);
  });

  test('may end the connection', async () => {
    const reply = { status: 200, headers: { connection: 'close' }, body: 'abc' };
    const server = await startServer(createMemoryRegistry(), answering(reply));
    const answer = await server.speak(get.replace('/v2/', '/v2/?x') + get);
    expect(answer).toMatch(/\r\nConnection: close\r\n\r\nabc$/);
    expect(statuses(answer)).toEqual(['200']);
  });

  test('may have numbers for headers', async () => {
    const headers = { 'Content-Length': 3, 'X-N': 5 } as unknown as Record<string, string>;
    const server = await startServer(createMemoryRegistry(), answering({ status: 200, headers, body: 'abc' }));
    expect(await server.speak(get.replace('/v2/', '/v2/?x') + last)).toMatch(/\r\nContent-Length: 3\r\nX-N: 5\r\n/);
  });
});

describe('a header', () => {
  test.each([
    ['a line end', { 'X-Trick': 'a\r\nSet-Cookie: b' }],
    ['a line end in its name', { 'X\r\nTrick': 'a' }],
    ['what is no letter of its alphabet', { 'X-Trick': 'ü\u0100' }],
  ])('with %s is not sent', async (_name, headers) => {
    const errors: unknown[] = [];
    const server = await startServer(createMemoryRegistry(), {
      onError: (error) => errors.push(error),
      middleware: [async (exchange, next) => ({ ...(await next(exchange)), headers })],
    });
    const response = await server.fetch('/v2/');
    expect([response.status, [...response.headers.keys()].filter((name) => /trick|cookie/.test(name))]).toEqual([
      500,
      [],
    ]);
    expect(errors).toHaveLength(1);
  });

  test('with the length is added to a reply of a middleware that lacks it', async () => {
    const server = await startServer(createMemoryRegistry(), {
      middleware: [async ({ query }) => ({ status: 200, headers: {}, body: query === '' ? undefined : 'grün' })],
    });
    const { socket, heard, answers } = speakTo(server);
    socket.write(get + get.replace('/v2/', '/v2/?x') + get);
    await answers(3);
    expect([...heard().matchAll(/Content-Length: (\d+)/g)].map(([, length]) => length)).toEqual(['0', '5', '0']);
    expect(Buffer.from(heard(), 'latin1').toString()).toContain('\r\n\r\ngrünHTTP');
  });
});
