import { connect as connectPlain, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer as createTlsServer } from 'node:tls';

import { expect, onTestFinished, test } from 'vitest';

import { testCertificate } from '../../../../testing/node.ts';

import { readDirectly } from './direct-reads.ts';

interface Pair {
  client: Socket;
  accepted: Socket;
}

async function pair(isSecure: boolean): Promise<Pair> {
  let accept = (_socket: Socket): void => undefined;
  const accepting = new Promise<Socket>((resolve) => (accept = resolve));
  const server = isSecure ? createTlsServer(await testCertificate(['localhost']), accept) : createServer(accept);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const to = { port: (server.address() as AddressInfo).port, host: '127.0.0.1' };
  const client = isSecure ? connect({ ...to, rejectUnauthorized: false }) : connectPlain(to);
  client.on('error', () => undefined);
  const accepted = await accepting;
  onTestFinished(() => {
    client.destroy();
    accepted.destroy();
    server.close();
  });
  return { client, accepted };
}

test.each([true, false])(
  'bytes come in the memory that their reader gives, and its end as ever (TLS: %s)',
  async (tls) => {
    const { client, accepted } = await pair(tls);
    const memory = Buffer.alloc(300_000);
    let used = 0;
    let copies = 0;
    const size = 290_000;
    expect(
      readDirectly(accepted, {
        room: () => (used < 100_000 ? undefined : memory.subarray(used)),
        received(bytes) {
          if (bytes.buffer !== memory.buffer) copies += bytes.copy(memory, used);
          used += bytes.length;
        },
      }),
    ).toBe(true);
    accepted.on('data', () => expect.unreachable());
    const ended = new Promise((resolve) => accepted.once('end', resolve));
    const sent = Buffer.alloc(size, 'abcdefg');
    client.end(sent);
    await ended;
    expect(memory.subarray(0, used).equals(sent)).toBe(true);
    expect(copies).toBeGreaterThanOrEqual(100_000);
    expect(copies).toBeLessThan(size);
    expect(accepted.bytesRead).toBe(size);
  },
);

test('a reader that pauses the connection gets at most one more read', async () => {
  const { client, accepted } = await pair(true);
  let count = 0;
  readDirectly(accepted, {
    room: () => undefined,
    received(bytes) {
      count += bytes.length;
      accepted.pause();
    },
  });
  accepted.resume();
  client.write(Buffer.alloc(4_000_000));
  await expect.poll(() => count).toBeGreaterThan(0);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(count).toBeLessThanOrEqual(64 * 1024);
  const before = count;
  accepted.resume();
  await expect.poll(() => count).toBeGreaterThan(before);
});

test('a connection with unread bytes, or without the internals that are needed, is left alone', async () => {
  const reader = { room: () => undefined, received: () => expect.unreachable() };
  const { client, accepted } = await pair(true);
  accepted.pause();
  client.write('abc');
  accepted.read(0);
  await expect.poll(() => accepted.readableLength).toBe(3);
  expect(readDirectly(accepted, reader)).toBe(false);
  accepted.resume();
  const piece = await new Promise<Buffer>((resolve) => accepted.once('data', resolve));
  expect(piece.toString()).toBe('abc');
  Reflect.set(Reflect.get(accepted, '_handle') as object, 'useUserBuffer', undefined);
  expect(readDirectly(accepted, reader)).toBe(false);
  const closed = (await pair(true)).accepted;
  closed.destroy();
  expect(readDirectly(closed, reader)).toBe(false);
});
