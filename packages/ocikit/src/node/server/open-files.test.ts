import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

import { expect, onTestFinished, test } from 'vitest';

import { limitConnections, mostOpenFiles } from './open-files.ts';

test('connections beyond three quarters of the open files are refused, with one warning, until others end', async () => {
  const warnings: unknown[] = [];
  const log = (): void => undefined;
  let ended = 0;
  const server = createServer((socket) =>
    socket
      .on('error', log)
      .on('close', () => ended++)
      .write('x'),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  limitConnections(server, 8, { info: log, error: log, warn: (message, fields) => warnings.push([message, fields]) });
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const refused = new Set<Socket>();
  const open = async (): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1').on('error', log);
    onTestFinished(() => void socket.destroy());
    const closed = once(socket, 'close').then(() => refused.add(socket));
    await Promise.race([once(socket, 'data'), closed]);
    return socket;
  };
  const sockets: Socket[] = [];
  for (let i = 0; i < 10; i++) sockets.push(await open());
  expect([...refused]).toEqual(sockets.slice(6));
  expect(warnings).toEqual([
    ['refusing connections: allow this process more open files (ulimit -n)', { connections: 6, files: 8 }],
  ]);
  sockets[0]?.destroy();
  await expect.poll(() => ended).toBe(1);
  const last = await open();
  expect(refused.has(last)).toBe(false);
});

test('a connection that cannot be accepted does not end the process, and the log tells it once', () => {
  const server = createServer();
  const warnings: string[] = [];
  const log = (): void => undefined;
  limitConnections(server, undefined, { info: log, error: log, warn: (message) => warnings.push(message) });
  for (let i = 0; i < 3; i++) server.emit('error', new Error('accept ENFILE'));
  expect(warnings).toEqual(['cannot accept a connection']);
});

test.runIf(process.platform === 'linux')('the most open files are those of the process', async () => {
  const report = process.report.getReport() as { userLimits?: { open_files?: { soft?: number | string } } };
  const soft = report.userLimits?.open_files?.soft;
  expect(await mostOpenFiles()).toBe(typeof soft === 'number' ? soft : undefined);
});
