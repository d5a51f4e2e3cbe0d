import type { AddressInfo, Socket } from 'node:net';
import { createServer as createNetServer } from 'node:net';
import { connect as connectWithTls } from 'node:tls';

import { generate } from 'selfsigned';
import { describe, expect, onTestFinished, test } from 'vitest';

import { speakTo, statuses } from '../../../../../test/speak-http.ts';
import { startServer } from '../../../../../test/start-server.ts';
import { temporaryDirectory } from '../../../../../test/temporary-directory.ts';
import { digestOf, partialRegistry, readSource, RegistryError } from '../../../../model/index.ts';
import type { Registry } from '../../../../model/index.ts';
import { openLayouts } from '../../../../stores/layout/index.ts';
import { createMemoryRegistry } from '../../../../stores/memory/index.ts';
import { createServer } from '../../index.ts';
import type { ServerOptions } from '../../index.ts';

const bytes = Buffer.from('0123456789');
const digest = digestOf(bytes);
const get = 'GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n';
const last = 'GET /v2/_catalog HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
const head = `POST /v2/a/blobs/uploads/?digest=${digest} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`;
const chunks = '3;n="v"\r\n012\r\n7\r\n3456789\r\n0\r\nA: b\r\n\r\n';

interface FastServer {
  port: number;
  /** The number of connections that left the fast path. */
  handedOver: () => number;
  /** The last connection, as the server sees it. */
  accepted: () => Socket | undefined;
  end: () => void;
}

/** A server with nothing but the fast path: no `node:http` could take over. */
async function fastServer(registry: Registry, options: ServerOptions = {}): Promise<FastServer> {
  const { connection, endConnections } = createServer(registry, options);
  let count = 0;
  let accepted: Socket | undefined;
  const listener = createNetServer({ allowHalfOpen: true }, (socket) => {
    accepted = socket;
    connection(socket, 16 * 1024, (given) => {
      count++;
      given.destroy();
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void listener.close());
  const { port } = listener.address() as AddressInfo;
  return { port, handedOver: () => count, accepted: () => accepted, end: endConnections };
}

/** A registry that reads each pushed blob and keeps its size. */
function counting(): { registry: Registry; sizes: number[] } {
  const sizes: number[] = [];
  const registry = partialRegistry({
    async pushBlob(_repository, _blob, source) {
      let size = 0;
      for await (const piece of readSource(source)) size += piece.length;
      sizes.push(size);
      return { mediaType: 'a/b', digest, size };
    },
  });
  return { registry, sizes };
}

describe('a chunked body on the fast path', () => {
  test('is accepted wherever the connection cuts it, and the connection is used again', async () => {
    const server = await fastServer(createMemoryRegistry());
    const { socket, heard, answers } = speakTo(server);
    const text = head + chunks + get;
    let count = 0;
    for (let cut = head.length - 5; cut < text.length; cut++) {
      socket.write(text.slice(0, cut), 'latin1');
      await new Promise((resolve) => setImmediate(resolve));
      socket.write(text.slice(cut), 'latin1');
      count += 2;
      await answers(count);
    }
    expect(new Set(statuses(heard()))).toEqual(new Set(['201', '200']));
    expect(heard()).toContain(digest);
    expect(server.handedOver()).toBe(0);
  });

  test('that arrives byte by byte is accepted', async () => {
    const server = await fastServer(createMemoryRegistry());
    const { socket, heard, answers } = speakTo(server);
    for (const character of head + chunks) {
      socket.write(character, 'latin1');
      await new Promise((resolve) => setImmediate(resolve));
    }
    await answers(1);
    expect(statuses(heard())).toEqual(['201']);
  });

  test('does not stop the pipelined requests around it', async () => {
    const server = await fastServer(createMemoryRegistry());
    const { socket, heard, answers } = speakTo(server);
    const nothing = 'POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
    socket.write(get + head + chunks + nothing + head + chunks + get, 'latin1');
    await answers(5);
    expect(statuses(heard())).toEqual(['200', '201', '202', '201', '200']);
    expect(server.handedOver()).toBe(0);
  });

  test.each([1, 7, 32 * 1024, 32 * 1024 + 1, 5_000_000])('in chunks of %i bytes arrives as a whole', async (size) => {
    const { registry, sizes } = counting();
    const server = await fastServer(registry);
    const { socket, answers } = speakTo(server);
    const total = size === 1 ? 300_000 : 10_000_000;
    socket.write(head);
    for (let at = 0; at < total; at += size) {
      const count = Math.min(size, total - at);
      socket.write(Buffer.concat([Buffer.from(`${count.toString(16)}\r\n`), Buffer.alloc(count), Buffer.from('\r\n')]));
    }
    socket.write(`0\r\n\r\n${get}`);
    await answers(2);
    expect(sizes).toEqual([total]);
  });

  test('waits at its client until it is read', async () => {
    const registry = partialRegistry({ pushBlob: () => new Promise(() => undefined) });
    const server = await fastServer(registry);
    const { socket } = speakTo(server);
    socket.write(head);
    for (let i = 0; i < 64; i++) socket.write(`100000\r\n${'x'.repeat(1024 * 1024)}\r\n`);
    await expect.poll(() => server.accepted()?.bytesRead).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(server.accepted()?.bytesRead).toBeLessThan(1024 * 1024);
  });

  test.each([
    ['at its beginning', 'x\r\n'],
    ['in its middle', '3\r\n012\r\n7\r\n34567890\r\n'],
    ['at its end', '3\r\n012\r\n0\r\nContent-Length: 5\r\n\r\n'],
  ])('that is malformed %s is answered 400, and the connection closes', async (_where, broken) => {
    for (const isCut of [false, true]) {
      const server = await fastServer(createMemoryRegistry());
      const { socket, heard, closed } = speakTo(server);
      socket.write(get + head + (isCut ? '' : broken + get), 'latin1');
      if (isCut) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        socket.write(broken + get, 'latin1');
      }
      await closed;
      expect(statuses(heard())).toEqual(['200', '400']);
      expect(heard()).toMatch(/Connection: close\r\n[^]*"BAD_REQUEST"[^]*not sent in valid chunks/);
      expect(server.handedOver()).toBe(0);
    }
  });

  test('that is malformed is answered 400 even if its handler does not read it', async () => {
    const server = await fastServer(createMemoryRegistry());
    const { socket, heard, closed } = speakTo(server);
    socket.write('POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x\r\n');
    await closed;
    expect(statuses(heard())).toEqual(['400']);
  });

  test('that is refused unread loses no answer, though its client sends all of it before it reads', async () => {
    const server = await fastServer(createMemoryRegistry());
    const { socket, heard, closed } = speakTo(server);
    socket.pause();
    const type = 'Content-Type: application/vnd.oci.image.manifest.v1+json';
    socket.write(`PUT /v2/a/manifests/t HTTP/1.1\r\nHost: x\r\n${type}\r\nTransfer-Encoding: chunked\r\n\r\n`);
    for (let i = 0; i < 10; i++) socket.write(`100000\r\n${'x'.repeat(1024 * 1024)}\r\n`);
    await new Promise<void>((resolve) => socket.write('0\r\n\r\n', () => resolve()));
    socket.resume();
    await closed;
    expect(statuses(heard())).toEqual(['413']);
    expect(heard()).toContain('\r\nConnection: close\r\n');
    expect(heard()).toContain('"CONTENT_TOO_LARGE"');
  });

  test('that a store refuses in its middle loses no answer, and the connection closes after a bounded rest', async () => {
    const registry = partialRegistry({
      async pushBlob(_repository, _blob, source) {
        for await (const _piece of readSource(source)) throw new RegistryError('DENIED', 'too much');
        throw new Error('there was a body');
      },
    });
    const server = await fastServer(registry);
    const { socket, heard, answers, closed } = speakTo(server);
    socket.write(`${head}100000\r\n`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    let sent = 0;
    const chunk = `${'x'.repeat(1024 * 1024)}\r\n100000\r\n`;
    while (!socket.destroyed && sent < 600) {
      sent++;
      if (!socket.write(chunk)) await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closed]);
    }
    await answers(1);
    await closed;
    expect(statuses(heard())).toEqual(['403']);
    expect(server.accepted()?.bytesRead).toBeLessThan(400 * 1024 * 1024);
  });

  test('whose client disconnects in its middle leaves what has arrived to be resumed', async () => {
    const server = await startServer(createMemoryRegistry());
    const location = (await server.fetch('/v2/a/blobs/uploads/', { method: 'POST' })).headers.get('location') ?? '';
    const offset = async (): Promise<number> => Number((await server.fetch(location)).headers.get('upload-offset'));
    for (const [i, how] of (['destroy', 'end'] as const).entries()) {
      const { socket } = speakTo(server);
      socket.write(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n01234`);
      await expect.poll(offset).toBe((i + 1) * 5);
      socket[how]();
      const isFree = async (): Promise<number> => (await server.fetch(location, { method: 'PATCH' })).status;
      await expect.poll(isFree).toBe(202);
    }
    expect(await offset()).toBe(10);
  });

  test('that begins after its client has ended its side ends the connection, after the earlier answer', async () => {
    let goOn = (): void => undefined;
    const gate = new Promise<void>((resolve) => (goOn = resolve));
    const server = await fastServer(createMemoryRegistry(), {
      middleware: [
        async (exchange, next) => {
          await gate;
          return next(exchange);
        },
      ],
    });
    const { socket, heard, closed } = speakTo(server, true);
    socket.end(`${get}${head}9\r\n012`);
    await expect.poll(() => server.accepted()?.readableEnded).toBe(true);
    goOn();
    await closed;
    expect(statuses(heard())).toEqual(['200']);
  });

  test('that pauses for too long is answered 408, and the connection closes', async () => {
    const server = await fastServer(createMemoryRegistry(), { limits: { bodyTimeout: 200 } });
    const { socket, heard, closed } = speakTo(server);
    socket.write(`${head}a\r\n01234`);
    await closed;
    expect(statuses(heard())).toEqual(['408']);
  });

  test('ends its connection with its answer once the server stops', async () => {
    const server = await fastServer(createMemoryRegistry());
    const { socket, heard, closed } = speakTo(server);
    socket.write(`${head}3\r\n0`);
    await expect.poll(() => server.accepted()?.bytesRead, { interval: 5 }).toBeGreaterThan(head.length);
    server.end();
    socket.write('12\r\n7\r\n3456789\r\n0\r\n\r\n');
    await closed;
    expect(statuses(heard())).toEqual(['201']);
    expect(heard()).toContain('\r\nConnection: close\r\n');
  });

  test('is accepted over TLS', async () => {
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }]);
    const server = await startServer(createMemoryRegistry(), { tls: { cert, key } });
    const socket = connectWithTls({ port: server.port, host: '127.0.0.1', rejectUnauthorized: false });
    let text = '';
    socket.on('data', (piece: Buffer) => (text += piece.toString('latin1')));
    socket.write(head + chunks.slice(0, 12));
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.write(chunks.slice(12) + last);
    await new Promise((resolve) => socket.once('close', resolve));
    expect(statuses(text)).toEqual(['201', '200']);
  });
});

describe('a large blob', () => {
  const size = 24 * 1024 * 1024 + 12_345;
  const content = Buffer.alloc(size);
  let state = 1;
  for (let at = 0; at + 4 < size; at += 4)
    content.writeUInt32LE((state = (state * 1_664_525 + 1_013_904_223) >>> 0), at);
  const wanted = digestOf(content);

  /** The body in chunks of this size, or as it is. */
  const bodyOf = (bytesToSend: Buffer, chunk: number | undefined): { field: string; pieces: Buffer[] } => {
    if (chunk === undefined) return { field: `Content-Length: ${bytesToSend.length}`, pieces: [bytesToSend] };
    const pieces: Buffer[] = [];
    for (let at = 0; at < bytesToSend.length; at += chunk) {
      const piece = bytesToSend.subarray(at, at + chunk);
      pieces.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'));
    }
    return { field: 'Transfer-Encoding: chunked', pieces: [...pieces, Buffer.from('0\r\n\r\n')] };
  };

  test.each([
    ['PATCH in chunks and an empty PUT', 'PATCH', 32 * 1024],
    ['PATCH in odd chunks and an empty PUT', 'PATCH', 32 * 1024 + 1],
    ['PATCH with a length and an empty PUT', 'PATCH', undefined],
    ['PUT in chunks', 'PUT', 100_000],
    ['PUT with a length', 'PUT', undefined],
    ['POST in chunks', 'POST', 777_777],
    ['POST with a length', 'POST', undefined],
  ])('pushed by %s is stored as it was sent', async (_name, method, chunk) => {
    const registry = openLayouts(await temporaryDirectory(), { durability: 'none' });
    onTestFinished(() => registry.close());
    const server = await startServer(registry);
    const { socket, heard, answers } = speakTo(server);
    const start = await server.fetch('/v2/a/blobs/uploads/', { method: 'POST' });
    const location = start.headers.get('location') ?? '';
    const target = {
      PATCH: location,
      PUT: `${location}?digest=${wanted}`,
      POST: `/v2/a/blobs/uploads/?digest=${wanted}`,
    }[method];
    const { field, pieces } = bodyOf(content, chunk);
    socket.write(`${method} ${target} HTTP/1.1\r\nHost: x\r\n${field}\r\n\r\n`);
    socket.cork();
    for (const piece of pieces) socket.write(piece);
    socket.uncork();
    await answers(1);
    if (method === 'PATCH') socket.write(`PUT ${location}?digest=${wanted} HTTP/1.1\r\nHost: x\r\n\r\n`);
    if (method === 'PATCH') await answers(2);
    expect(statuses(heard())).toEqual(method === 'PATCH' ? ['202', '201'] : ['201']);
    const stored = await (await server.fetch(`/v2/a/blobs/${wanted}`)).arrayBuffer();
    expect(digestOf(new Uint8Array(stored))).toBe(wanted);
  });
});

describe('a server', () => {
  test.each([
    ['a length beside the chunks', 'Content-Length: 10\r\nTransfer-Encoding: chunked'],
    ['a length behind the chunks', 'Transfer-Encoding: chunked\r\nContent-Length: 10'],
    ['another encoding before the chunks', 'Transfer-Encoding: gzip, chunked'],
    ['another encoding behind the chunks', 'Transfer-Encoding: chunked, gzip'],
    ['an unknown encoding', 'Transfer-Encoding: xchunked'],
    ['chunks in a field of two lines', 'Transfer-Encoding:\r\n chunked'],
    ['chunks twice', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked'],
    ['chunks behind another encoding of its own field', 'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked'],
    ['a space before the colon', 'Transfer-Encoding : chunked'],
    ['a vertical tab before the encoding', 'Transfer-Encoding: \x0bchunked'],
  ])('takes no second request out of a body with %s', async (_name, fields) => {
    const server = await startServer(createMemoryRegistry());
    const hidden = 'DELETE /v2/a/manifests/t HTTP/1.1\r\nHost: x\r\n\r\n';
    const text = `PUT /v2/a/blobs/uploads/x HTTP/1.1\r\nHost: x\r\n${fields}\r\n\r\n0\r\n\r\n${hidden}`;
    const found = statuses(await server.speak(text, 5000));
    // Node's parser decides about these: it refuses them, or reads to the end of the connection.
    expect(found.length).toBeLessThanOrEqual(1);
    for (const status of found) expect(Number(status)).toBeGreaterThanOrEqual(400);
  });

  test('asks for a chunked body if the client sends Expect: 100-continue', async () => {
    const server = await startServer(createMemoryRegistry());
    const { socket, heard, answers } = speakTo(server);
    socket.write(get + head.replace('Host', 'Expect: 100-continue\r\nHost'));
    await answers(2);
    expect(statuses(heard())).toEqual(['200', '100']);
    socket.write(chunks + get);
    await answers(4);
    expect(statuses(heard())).toEqual(['200', '100', '201', '200']);
  });
});
