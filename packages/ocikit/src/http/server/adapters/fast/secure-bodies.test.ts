import type { Socket } from 'node:net';
import { connect, createServer as createTlsServer } from 'node:tls';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';

import { beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';

import { statuses } from '../../../../../test/speak-http.ts';
import { startServer } from '../../../../../test/start-server.ts';
import type { TestServer } from '../../../../../test/start-server.ts';
import { temporaryDirectory } from '../../../../../test/temporary-directory.ts';
import { digestOf, partialRegistry } from '../../../../model/index.ts';
import type { ServeOptions } from '../../../../node/index.ts';
import { openLayouts } from '../../../../stores/layout/index.ts';
import { createMemoryRegistry } from '../../../../stores/memory/index.ts';
import { testCertificate } from '../../../../testing/node.ts';
import { createServer } from '../../index.ts';
import type { readDirectly as ReadDirectly } from '../socket/direct-reads.ts';

const control = vi.hoisted(() => ({ mayReadDirectly: true, results: [] as boolean[] }));

vi.mock('../socket/direct-reads.ts', async (original) => {
  const { readDirectly } = (await original()) satisfies { readDirectly: typeof ReadDirectly };
  const watched: typeof ReadDirectly = (socket, reader) => {
    const result = control.mayReadDirectly && readDirectly(socket, reader);
    control.results.push(result);
    return result;
  };
  return { readDirectly: watched };
});

const get = 'GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n';
/** Only `node:http` answers it. */
const odd = get.replace('Host', 'TE: trailers\r\nHost');
const size = 12 * 1024 * 1024 + 12_345;
const content = Buffer.alloc(size);
let state = 1;
for (let at = 0; at + 4 < size; at += 4) content.writeUInt32LE((state = (state * 1_664_525 + 1_013_904_223) >>> 0), at);
const digest = digestOf(content);

let certificate: { cert: string; key: string };
beforeAll(async () => {
  certificate = await testCertificate(['localhost']);
});
beforeEach(() => {
  control.results.length = 0;
  control.mayReadDirectly = true;
});

interface Speaker {
  socket: TLSSocket;
  heard: () => string;
  answers: (count: number) => Promise<void>;
  closed: Promise<void>;
  /** Resolves once the bytes are on their way. */
  send: (bytes: string | Uint8Array) => Promise<void>;
}

function speakTo({ port }: { port: number }): Speaker {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  onTestFinished(() => void socket.destroy());
  let text = '';
  socket.on('data', (piece: Buffer) => (text += piece.toString('latin1')));
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const answers = async (count: number): Promise<void> => {
    await expect.poll(() => statuses(text).length, { timeout: 20_000, interval: 5 }).toBe(count);
  };
  const send = (bytes: string | Uint8Array): Promise<void> =>
    new Promise((resolve) => socket.write(bytes, () => resolve()));
  return { socket, heard: () => text, answers, closed, send };
}

const secureServer = (registry: Parameters<typeof startServer>[0], options?: ServeOptions): Promise<TestServer> =>
  startServer(registry, { ...options, tls: certificate });

const headOf = (line: string, field: string): string => `${line} HTTP/1.1\r\nHost: x\r\n${field}\r\n\r\n`;
const post = headOf(`POST /v2/a/blobs/uploads/?digest=${digest}`, `Content-Length: ${size}`);

/** The path of the last upload that an answer tells. */
function locationIn(answers: string): string {
  return [...answers.matchAll(/\r\nLocation: (?:https?:\/\/[^/]+)?(\/v2\/a\/blobs\/uploads\/\S+)/gi)].at(-1)?.[1] ?? '';
}

function inChunks(chunk: number): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < size; at += chunk) {
    const piece = content.subarray(at, at + chunk);
    pieces.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'));
  }
  return Buffer.concat([...pieces, Buffer.from('0\r\n\r\n')]);
}

describe.each([
  ['read directly', true],
  ['read by Node', false],
])('a large body over TLS that is %s', (_name, mayReadDirectly) => {
  beforeEach(() => {
    control.mayReadDirectly = mayReadDirectly;
  });

  test('is stored as it was sent, in every shape of a push, on a connection that is used again', async () => {
    const registry = openLayouts(await temporaryDirectory());
    onTestFinished(() => registry.close());
    const server = await secureServer(registry);
    const { heard, answers, send } = speakTo(server);
    let count = 0;
    for (const [body, field] of [
      [content, `Content-Length: ${size}`],
      [inChunks(32 * 1024), 'Transfer-Encoding: chunked'],
      [inChunks(32 * 1024 + 1), 'Transfer-Encoding: chunked'],
      [inChunks(999), 'Transfer-Encoding: chunked'],
    ] as const) {
      await send(headOf('POST /v2/a/blobs/uploads/', 'Content-Length: 0'));
      await answers(++count);
      const location = locationIn(heard());
      await send(headOf(`PATCH ${location}`, field));
      await send(body);
      await answers(++count);
      await send(headOf(`PUT ${location}?digest=${digest}`, 'Content-Length: 0'));
      await answers(++count);
      await send(headOf(`POST /v2/a/blobs/uploads/?digest=${digest}`, field));
      await send(body);
      await answers(++count);
      await send(headOf(`DELETE /v2/a/blobs/${digest}`, 'Accept: */*') + get + odd);
      await answers((count += 3));
    }
    const round = ['202', '202', '201', '201', '202', '200', '200'];
    expect(statuses(heard())).toEqual([...round, ...round, ...round, ...round]);
    if (mayReadDirectly) expect(control.results.at(0)).toBe(true);
    else expect(control.results).not.toContain(true);
  });

  test.each([1000, 16_385, 100_000])('may arrive in pieces of %i bytes', async (piece) => {
    const server = await secureServer(createMemoryRegistry());
    const { heard, answers, send } = speakTo(server);
    await send(post);
    for (let at = 0; at < size; at += piece) await send(content.subarray(at, at + piece));
    await send(get);
    await answers(2);
    expect(statuses(heard())).toEqual(['201', '200']);
  });

  test('does not stop the pipelined requests around it', async () => {
    const server = await secureServer(createMemoryRegistry());
    const { heard, answers, send } = speakTo(server);
    await send(Buffer.concat([Buffer.from(get + post), content, Buffer.from(get + post), content, Buffer.from(get)]));
    await answers(5);
    expect(statuses(heard())).toEqual(['200', '201', '200', '201', '200']);
  });

  test('leaves what has arrived to be resumed if its client disconnects', async () => {
    const registry = openLayouts(await temporaryDirectory());
    onTestFinished(() => registry.close());
    const server = await secureServer(registry);
    const { socket, heard, answers, send } = speakTo(server);
    await send(headOf('POST /v2/a/blobs/uploads/', 'Content-Length: 0'));
    await answers(1);
    const path = locationIn(heard());
    const offset = async (): Promise<number> => {
      const asking = speakTo(server);
      await asking.send(headOf(`GET ${path}`, 'Accept: */*'));
      await asking.answers(1);
      return Number(/Upload-Offset: (\d+)/i.exec(asking.heard())?.[1]);
    };
    await send(headOf(`PATCH ${path}`, `Content-Length: ${size}`));
    await send(content.subarray(0, 7_000_000));
    await expect.poll(offset, { timeout: 20_000 }).toBe(7_000_000);
    socket.destroy();
    const isFree = async (): Promise<string[]> => {
      const asking = speakTo(server);
      await asking.send(headOf(`PATCH ${path}`, 'Content-Length: 0'));
      await asking.answers(1);
      return statuses(asking.heard());
    };
    await expect.poll(isFree, { timeout: 20_000 }).toEqual(['202']);
    const rest = speakTo(server);
    await rest.send(headOf(`PUT ${path}?digest=${digest}`, `Content-Length: ${size - 7_000_000}`));
    await rest.send(content.subarray(7_000_000));
    await rest.answers(1);
    expect(statuses(rest.heard())).toEqual(['201']);
  });

  test('that is short and refused leaves its connection open, and a long one does not', async () => {
    const server = await secureServer(createMemoryRegistry());
    const { heard, answers, closed, send } = speakTo(server);
    await send(headOf('PUT /v2/a/nothing/x', 'Content-Length: 900000'));
    await send(Buffer.alloc(900_000));
    await send(get);
    await answers(2);
    await send(headOf('PUT /v2/a/nothing/x', 'Content-Length: 9000000'));
    await send(Buffer.alloc(9_000_000));
    await closed;
    expect(statuses(heard())).toEqual(['404', '200', '404']);
    expect(heard()).toMatch(/\r\nConnection: close\r\n(?:[^\r]+\r\n)*\r\n[^\r]+$/);
  });

  test('that pauses for too long is answered 408, and the connection closes', async () => {
    const server = await secureServer(createMemoryRegistry(), { limits: { bodyTimeout: 200 } });
    const { heard, closed, send } = speakTo(server);
    await send(post);
    await send(content.subarray(0, 5_000_000));
    await closed;
    expect(statuses(heard())).toEqual(['408']);
  });

  test('ends if its client ends its side', async () => {
    const server = await secureServer(createMemoryRegistry());
    const { socket, heard, closed, send } = speakTo(server);
    await send(post);
    await send(content.subarray(0, 5_000_000));
    socket.end();
    await closed;
    expect(statuses(heard())).not.toContain('201');
  });
});

test('a large body over TLS waits at its client until it is read, and needs no node:http', async () => {
  let read = (): void => undefined;
  const gate = new Promise<void>((resolve) => (read = resolve));
  const registry = partialRegistry({
    async pushBlob(_repository, _blob, source) {
      await gate;
      let count = 0;
      for await (const piece of source as AsyncIterable<Uint8Array>) count += piece.length;
      return { mediaType: 'a/b', digest, size: count };
    },
  });
  const { connection } = createServer(registry);
  let accepted: Socket | undefined;
  let handedOver = 0;
  const listener = createTlsServer(certificate, (socket) => {
    accepted = socket;
    connection(socket, 16 * 1024, () => handedOver++);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void listener.close());
  const { socket, heard, answers } = speakTo(listener.address() as AddressInfo);
  socket.write(post);
  socket.write(content);
  socket.write(get);
  await expect.poll(() => accepted?.bytesRead, { timeout: 10_000 }).toBeGreaterThan(post.length);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(accepted?.bytesRead).toBeLessThan(1024 * 1024);
  read();
  await answers(2);
  expect(statuses(heard())).toEqual(['201', '200']);
  expect([handedOver, control.results]).toEqual([0, [true]]);
});
