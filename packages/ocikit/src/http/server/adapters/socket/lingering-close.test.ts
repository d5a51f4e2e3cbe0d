// Tests how a connection closes whose client still sends.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

import { expect, onTestFinished, test } from 'vitest';

import { lingeringClose } from './lingering-close.ts';

const generous = { bytes: 2 ** 30, time: 60_000, pause: 60_000 };

/** Both ends of a connection. The server's end discards what it receives. */
async function connection(): Promise<{ client: Socket; socket: Socket }> {
  const server = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  const [socket] = (await once(server, 'connection')) as [Socket];
  for (const end of [client, socket]) end.on('error', () => undefined);
  socket.resume();
  onTestFinished(() => {
    client.destroy();
    socket.destroy();
    server.close();
  });
  return { client, socket };
}

test('a connection that closes ends its side at once, and receives until its client has ended its own', async () => {
  const { client, socket } = await connection();
  const closed = once(socket, 'close');
  socket.write('answer');
  lingeringClose(socket, generous);
  let heard = '';
  client.on('data', (piece) => (heard += piece.toString()));
  await once(client, 'end');
  expect(heard).toBe('answer');
  client.end(Buffer.alloc(20 * 1024 * 1024));
  await closed;
  expect(socket.bytesRead).toBe(20 * 1024 * 1024);
});

test.each([
  ['sends too much', { ...generous, bytes: 100_000 }, true],
  ['sends for too long', { ...generous, time: 300 }, true],
  ['pauses', { ...generous, pause: 300 }, false],
])('a connection that closes is cut off if its client %s', async (_what, limits, sends) => {
  const { client, socket } = await connection();
  const closed = once(socket, 'close');
  lingeringClose(socket, limits);
  const timer = setInterval(() => sends && client.write(Buffer.alloc(20_000)), 20);
  await closed;
  clearInterval(timer);
  expect(client.writableEnded).toBe(false);
});
