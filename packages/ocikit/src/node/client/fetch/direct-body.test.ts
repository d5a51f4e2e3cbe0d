import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import { rawBody } from '../../../http/client/index.ts';
import type { RawBody, RawBytes } from '../../../http/client/index.ts';

import { testCertificate } from '../../../testing/node.ts';
import type { TestCertificate } from '../../../testing/node.ts';

import { listenOnFreePort } from '../../../../test/free-port.ts';

import { nodeFetch } from './fetch.ts';
import type { NodeFetch } from './fetch.ts';

const mebibyte = 1024 * 1024;
const size = 5 * mebibyte + 77;
const content = Buffer.from(new Uint8Array(size).map((_, i) => (i * 31) >> 6));

interface Served {
  url: string;
  /** All connections that were opened. */
  sockets: Socket[];
}

let certificate: TestCertificate;
beforeAll(async () => {
  certificate = await testCertificate(['127.0.0.1']);
});

type Scheme = 'http' | 'https';

/** A server that knows nothing of HTTP but that a request ends with an empty line. */
async function serveWith(scheme: Scheme, answer: (socket: Socket) => void | Promise<void>): Promise<Served> {
  const sockets: Socket[] = [];
  const take = (socket: Socket): void => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      if (data.toString('latin1').endsWith('\r\n\r\n')) void answer(socket);
    });
  };
  const server: Server = scheme === 'https' ? createTlsServer(certificate, take) : createServer(take);
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { url: `${scheme}://127.0.0.1:${await listenOnFreePort(server)}/`, sockets };
}

function head(length: number, more = ''): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n${more}\r\n`;
}

/** The head and the first bytes arrive together, the rest as quickly as it can. */
function sendAll(socket: Socket): void {
  socket.write(Buffer.concat([Buffer.from(head(size)), content]));
}

function open(options?: { idleTimeout: number }): NodeFetch {
  const fetch = nodeFetch({ proxy: false, ca: certificate.cert, ...options });
  onTestFinished(() => fetch.close());
  return fetch;
}

async function bodyFrom(fetch: NodeFetch, url: string, init: RequestInit = {}): Promise<RawBytes> {
  const response: Response & RawBody = await fetch(url, init);
  const body = response[rawBody];
  if (body === undefined) throw new Error('there is no body');
  return body;
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });

/** However it ends, which may be by a reset. */
async function closed(socket: Socket | undefined): Promise<void> {
  if (socket?.closed !== false) return;
  await new Promise((resolve) => {
    socket.on('close', resolve);
  });
}

describe.each(['http', 'https'] as const)('a large body of a known length over %s', (scheme) => {
  const serve = (answer: (socket: Socket) => void | Promise<void>): Promise<Served> => serveWith(scheme, answer);

  test('that is lent is in shared memory that is used again, each piece valid until the third piece after it', async () => {
    const { url } = await serve(sendAll);
    const body = await bodyFrom(open(), url);
    body.lend?.();
    const found: Buffer[] = [];
    const memory = new Set<ArrayBufferLike>();
    const last: Uint8Array[] = [];
    for await (const piece of body) {
      last.push(piece);
      if (last.length > 2) found.push(...last.splice(0, 1).map((each) => Buffer.from(each)));
      if (piece.buffer instanceof SharedArrayBuffer) memory.add(piece.buffer);
      // By now, every buffer that may be reused has been overwritten.
      await pause(1);
    }
    found.push(...last.map((each) => Buffer.from(each)));
    expect(Buffer.concat(found).equals(content)).toBe(true);
    expect(memory.size).toBeGreaterThan(0);
    expect(memory.size).toBeLessThanOrEqual(5);
  });

  describe('that is lent', () => {
    const MiB = 1024 * 1024;

    /** Bytes of the memory that the first piece past the parser is in. The connection stays as it is. */
    async function memoryOf(body: RawBytes): Promise<number> {
      const pieces = body[Symbol.asyncIterator]();
      for (;;) {
        const next = await pieces.next();
        if (next.done === true) throw new Error('no piece is in memory that threads share');
        const { buffer } = next.value;
        if (buffer instanceof SharedArrayBuffer) return buffer.byteLength;
      }
    }

    test('comes in larger pieces if it is the only one, as the memory of several adds up', async () => {
      const { url } = await serve(sendAll);
      const fetch = open();
      const several = [await bodyFrom(fetch, url), await bodyFrom(fetch, url)];
      for (const body of several) body.lend?.();
      expect(await Promise.all(several.map(memoryOf))).toEqual([MiB, MiB]);
      fetch.close();
      const alone = await bodyFrom(open(), url);
      await pause(100);
      alone.lend?.();
      expect(await memoryOf(alone)).toBe(2 * MiB);
    });

    test('after its connection had ended does not count as another', async () => {
      const { url, sockets } = await serve((socket) => {
        socket.write(head(size));
      });
      const cut = await bodyFrom(open(), url);
      for (const socket of sockets) socket.destroy();
      await pause(100);
      cut.lend?.();
      await expect(memoryOf(cut)).rejects.toThrow('the connection ended');
      const alone = await bodyFrom(open(), (await serve(sendAll)).url);
      alone.lend?.();
      expect(await memoryOf(alone)).toBe(2 * MiB);
    });
  });

  test('that is not lent may be kept by its reader', async () => {
    const { url } = await serve(sendAll);
    const found: Uint8Array[] = [];
    for await (const piece of await bodyFrom(open(), url)) {
      found.push(piece);
      await pause(1);
    }
    expect(Buffer.concat(found).equals(content)).toBe(true);
  });

  test('can be read as a stream', async () => {
    const { url } = await serve(sendAll);
    const response = await open()(url, {});
    expect(Buffer.from(await response.arrayBuffer()).equals(content)).toBe(true);
  });

  test.each(['lent', 'kept'])('that arrives in small pieces is complete, %s', async (how) => {
    const { url } = await serve(async (socket) => {
      const bytes = Buffer.concat([Buffer.from(head(size)), content]);
      for (let at = 0, step = 1; at < bytes.length; at += step, step = (step * 7) % 300_007) {
        socket.write(bytes.subarray(at, at + step));
        await pause(0);
      }
    });
    const body = await bodyFrom(open(), url);
    if (how === 'lent') body.lend?.();
    const found: Buffer[] = [];
    for await (const piece of body) found.push(Buffer.from(piece));
    expect(Buffer.concat(found).equals(content)).toBe(true);
  });

  test('ends with its last byte, whatever else the server sends', async () => {
    const { url, sockets } = await serve((socket) => {
      sendAll(socket);
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad');
    });
    const fetch = open();
    for (let i = 1; i <= 2; i++) {
      const found: Buffer[] = [];
      for await (const piece of await bodyFrom(fetch, url)) found.push(Buffer.from(piece));
      expect(Buffer.concat(found).equals(content)).toBe(true);
      // The connection ends with it.
      expect(sockets).toHaveLength(i);
    }
  });

  test('waits for its reader', async () => {
    let sent = 0;
    const { url, sockets } = await serve((socket) => {
      const piece = Buffer.alloc(mebibyte);
      socket.write(head(1000 * mebibyte));
      const more = (): void => {
        for (let hasRoom = true; hasRoom && sent < 1000; sent++) hasRoom = socket.write(piece);
        if (sent < 1000) socket.once('drain', () => more());
      };
      more();
    });
    const body = await bodyFrom(open(), url);
    body.lend?.();
    const pieces = body[Symbol.asyncIterator]();
    await pieces.next();
    await pause(200);
    expect(sent).toBeLessThan(50);
    const before = sent;
    for (let i = 0; i < 400; i++) await pieces.next();
    expect(sent).toBeGreaterThan(before);
    // Ending the iteration closes the connection.
    await pieces.return?.();
    await closed(sockets[0]);
    expect(await pieces.next()).toEqual({ done: true, value: undefined });
  });

  test('keeps what its reader kept, however small the reads were', async () => {
    const { url } = await serve(async (socket) => {
      socket.write(head(size));
      for (let at = 0; at < size; at += 40_000) {
        socket.write(content.subarray(at, at + 40_000));
        if (at % 7 === 0) await pause(0);
      }
    });
    const body = await bodyFrom(open(), url);
    body.lend?.();
    const found: Buffer[] = [];
    const last: Uint8Array[] = [];
    for await (const piece of body) {
      last.push(piece);
      if (last.length > 2) found.push(...last.splice(0, 1).map((each) => Buffer.from(each)));
    }
    found.push(...last.map((each) => Buffer.from(each)));
    expect(Buffer.concat(found).equals(content)).toBe(true);
  });

  test.each(['lent', 'kept'])('that is cut is read up to the cut, and then fails, %s', async (how) => {
    const { url } = await serve((socket) => {
      socket.end(Buffer.concat([Buffer.from(head(size)), content.subarray(0, 3 * mebibyte)]));
    });
    const body = await bodyFrom(open(), url);
    if (how === 'lent') body.lend?.();
    const found: Buffer[] = [];
    const reading = (async () => {
      for await (const piece of body) found.push(Buffer.from(piece));
    })();
    await expect(reading).rejects.toThrow('the connection ended in the middle of the body');
    expect(Buffer.concat(found).equals(content.subarray(0, 3 * mebibyte))).toBe(true);
  });

  test('that is cut before it is read gives no bytes in the wrong place', async () => {
    const { url } = await serve(async (socket) => {
      socket.write(Buffer.concat([Buffer.from(head(size)), content.subarray(0, 1000)]));
      await pause(20);
      socket.write(content.subarray(1000, 2000));
      await pause(20);
      // A TLS connection has no reset of its own.
      if (scheme === 'http') socket.resetAndDestroy();
      else socket.destroy();
    });
    const body = await bodyFrom(open(), url);
    await pause(100);
    const found: Buffer[] = [];
    const reading = (async () => {
      for await (const piece of body) found.push(Buffer.from(piece));
    })();
    await expect(reading).rejects.toThrow(TypeError);
    const all = Buffer.concat(found);
    expect(all.equals(content.subarray(0, all.length))).toBe(true);
  });

  test('is ended by its signal, also while it waits', async () => {
    const { url, sockets } = await serve((socket) => {
      socket.write(Buffer.concat([Buffer.from(head(size)), content.subarray(0, mebibyte)]));
    });
    const controller = new AbortController();
    const reading = (async () => {
      for await (const _piece of await bodyFrom(open(), url, { signal: controller.signal })) {
        setTimeout(() => controller.abort(new Error('no longer wanted')), 50);
      }
    })();
    await expect(reading).rejects.toThrow('no longer wanted');
    await closed(sockets[0]);
  });

  test('that stops arriving fails', async () => {
    const { url } = await serve((socket) => {
      socket.write(Buffer.concat([Buffer.from(head(size)), content.subarray(0, mebibyte)]));
    });
    const body = await bodyFrom(open({ idleTimeout: 1000 }), url);
    const reading = (async () => {
      for await (const _piece of body);
    })();
    await expect(reading).rejects.toThrow('silent for 1000 ms');
  });
});

test('a large body in chunks goes through the parser, and leaves its connection to the next request', async () => {
  const { url, sockets } = await serveWith('http', (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    socket.write(Buffer.concat([Buffer.from(`${size.toString(16)}\r\n`), content, Buffer.from('\r\n0\r\n\r\n')]));
  });
  const fetch = open();
  for (let i = 0; i < 2; i++) {
    const found: Buffer[] = [];
    for await (const piece of await bodyFrom(fetch, url)) found.push(Buffer.from(piece));
    expect(Buffer.concat(found).equals(content)).toBe(true);
    // It is given back a moment later.
    await pause(10);
  }
  expect(sockets).toHaveLength(1);
});
