import { once } from 'node:events';
import { connect as connectPlain } from 'node:net';
import { connect } from 'node:tls';

import { expect, onTestFinished, test } from 'vitest';

import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { testCertificate } from '../../testing/node.ts';

import { serve } from './serve.ts';

test('a server with TLS that stops ends connections without a finished handshake at once, and idle ones', async () => {
  const serving = await serve(createMemoryRegistry(), { port: 0, tls: await testCertificate(['localhost']) });
  const to = { port: serving.port, host: '127.0.0.1' };
  const idle = connect({ ...to, rejectUnauthorized: false });
  const silent = connectPlain(to);
  onTestFinished(() => {
    idle.destroy();
    silent.destroy();
  });
  for (const socket of [idle, silent]) socket.on('error', () => undefined).resume();
  await Promise.all([once(idle, 'secureConnect'), once(silent, 'connect')]);
  idle.write('GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(idle, 'data');
  const ended = [idle, silent].map((socket) => once(socket, 'close'));
  expect(await serving.close(60_000)).toBe(0);
  await Promise.all(ended);
});

test('a client that begins no TLS handshake loses its connection once the time for headers is over', async () => {
  const tls = await testCertificate(['localhost']);
  const serving = await serve(createMemoryRegistry(), { port: 0, tls, limits: { headersTimeout: 200 } });
  const silent = connectPlain({ port: serving.port, host: '127.0.0.1' }).on('error', () => undefined);
  onTestFinished(async () => {
    silent.destroy();
    await serving.close(0);
  });
  await once(silent.resume(), 'close');
});

test('a client that ends its side of a TLS connection still gets its answer, and the connection ends', async () => {
  const serving = await serve(createMemoryRegistry(), { port: 0, tls: await testCertificate(['localhost']) });
  const to = { port: serving.port, host: '127.0.0.1' };
  const client = connect({ ...to, rejectUnauthorized: false }).on('error', () => undefined);
  const silent = connectPlain(to).on('error', () => undefined);
  onTestFinished(async () => {
    client.destroy();
    silent.destroy();
    await serving.close(0);
  });
  let heard = '';
  client.on('data', (piece: Buffer) => (heard += piece.toString('latin1')));
  client.end('GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n');
  silent.resume().end();
  await Promise.all([once(client, 'close'), once(silent, 'close')]);
  expect(heard).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(await serving.close(60_000)).toBe(0);
});
