// Tests that no number of calls piles up listeners on one signal or socket.
import { connect } from 'node:net';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { startServer } from '../../../test/start-server.ts';
import { startTestServer } from '../../../test/start-test-server.ts';
import { createClient } from '../../http/client/index.ts';
import { digestOf } from '../../model/index.ts';
import type { Registry } from '../../model/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { cache } from '../../views/index.ts';

const blob = new Uint8Array(300_000).fill(7);
const digest = digestOf(blob);
const many = Array.from({ length: 40 }, (_, i) => i);

const warnings: string[] = [];
const onWarning = (warning: Error): void => void warnings.push(warning.stack ?? warning.message);
beforeEach(() => {
  warnings.length = 0;
  process.on('warning', onWarning);
});
afterEach(() => void process.off('warning', onWarning));

/** Node emits a warning in a later turn. */
async function expectNoWarning(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(warnings).toEqual([]);
}

async function upstream(): Promise<{ client: Registry; direct: Registry }> {
  const server = await startTestServer();
  await server.registry.pushBlob('a', { digest }, blob);
  const direct = createClient({ host: server.host, scheme: 'http' });
  return { client: createClient({ host: server.host, fetch: server.fetch }), direct };
}

test('many downloads with one signal warn of nothing, and one abort ends them all', async () => {
  const { client, direct } = await upstream();
  for (const registry of [client, direct, cache(client, createMemoryRegistry({ sparse: true }))]) {
    const controller = new AbortController();
    const { signal } = controller;
    const read = async (): Promise<number> => (await (await registry.getBlob('a', digest, { signal })).bytes()).length;
    expect(await Promise.all(many.map(read))).toEqual(many.map(() => blob.length));
    const running = many.map(read);
    controller.abort(new Error('enough'));
    for (const outcome of await Promise.allSettled(running)) expect(outcome.status).toBe('rejected');
  }
  await expectNoWarning();
});

test.each(['', 'TE: trailers\r\n'])('many pipelined downloads on one connection warn of nothing %j', async (field) => {
  const { client } = await upstream();
  for (const registry of [client, cache(client, createMemoryRegistry({ sparse: true }))]) {
    const server = await startServer(registry);
    const socket = connect(server.port, '127.0.0.1');
    let received = 0;
    socket.on('data', (piece: Buffer) => (received += piece.length));
    socket.write(`GET /v2/a/blobs/${digest} HTTP/1.1\r\nHost: localhost\r\n${field}\r\n`.repeat(many.length));
    await expect.poll(() => received).toBeGreaterThan(many.length * blob.length);
    socket.destroy();
  }
  await expectNoWarning();
});
