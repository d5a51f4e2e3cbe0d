import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { newBlob, newManifest } from './content.ts';
import { lockOf, ownerOf, replaceLock, thisProcess } from './lock-file.ts';
import type { Owner } from './lock-file.ts';
import { getBlob, getManifest, pushBlob, pushManifest, pushSmall } from './requests.ts';
import { missingCommand, requireOf } from './requirement.ts';
import { useScratch } from './scratch.ts';
import { useServers } from './server.ts';

const scratch = useScratch();
const servers = useServers();

test('a second server on the same root ends at once with 1, and names the process of the first', async () => {
  const root = await scratch.newDirectory();
  const first = await servers.start(root);
  const second = await servers.startToFailure(root);
  expect(second.code).toBe(1);
  expect(second.stderr).toContain(`process ${first.pid} `);
  expect(second.milliseconds).toBeLessThan(5000);
  expect((await pushBlob(first.url, 'app', newBlob(100))).status).toBe(201);
});

test('a read-only server runs beside a writing one, and sees its pushes and folds', async () => {
  const root = await scratch.newDirectory();
  const manifest = newManifest();
  const before = await servers.start(root);
  expect((await pushSmall(before.url, 'app', manifest, '1')).status).toBe(201);
  expect(await before.stop()).toBe(0);

  const writer = await servers.start(root);
  const reader = await servers.start(root, { flags: ['--read-only'] });
  expect((await getManifest(reader.url, 'app', '1')).body).toEqual(manifest.bytes);
  expect((await pushBlob(reader.url, 'app', newBlob(10))).status).toBeGreaterThanOrEqual(400);
  const blob = newBlob(100);
  expect((await pushBlob(writer.url, 'app', blob)).status).toBe(201);
  expect((await getBlob(reader.url, 'app', blob.digest)).body).toEqual(blob.bytes);

  const pushed = newManifest();
  expect((await pushSmall(writer.url, 'app', pushed, '1')).status).toBe(201);
  await expect.poll(async () => (await getManifest(reader.url, 'app', '1')).body).toEqual(pushed.bytes);
  const another = newManifest();
  expect((await pushSmall(writer.url, 'new', another, '1')).status).toBe(201);
  await expect.poll(async () => (await getManifest(reader.url, 'new', '1')).body).toEqual(another.bytes);
  expect(await writer.stop()).toBe(0);
  await expect.poll(async () => (await getManifest(reader.url, 'app', '1')).body).toEqual(pushed.bytes);
});

test('the lock of a server that was killed is taken over', async () => {
  const root = await scratch.newDirectory();
  const first = await servers.start(root);
  await first.kill();
  expect((await ownerOf(root)).pid).toBe(first.pid);
  const second = await servers.start(root);
  expect((await ownerOf(root)).pid).toBe(second.pid);
});

test('a server that stops leaves no lock', async () => {
  const root = await scratch.newDirectory();
  expect(await (await servers.start(root)).stop()).toBe(0);
  await expect(readFile(lockOf(root))).rejects.toThrow('ENOENT');
});

const minute = 60_000;

test.each([
  ['whose pid is another process’s by now', { ...thisProcess(), started: '1' }],
  ['whose process is gone', { ...thisProcess(), pid: 2 ** 22 + 1 }],
  ['from before the machine was started', { ...thisProcess(), boot: 'another' }],
])('a lock %s is taken over', async (_what, owner) => {
  const root = await rootWithLock(JSON.stringify(owner), 0);
  const server = await servers.start(root);
  expect((await ownerOf(root)).pid).toBe(server.pid);
  expect((await pushBlob(server.url, 'app', newBlob(10))).status).toBe(201);
});

test('a lock with an unknown owner is taken over only after half a minute without a sign of life, at any age', async () => {
  const elsewhere = { ...thisProcess(), host: 'elsewhere', boot: 'another' };
  const elseContainer = { ...thisProcess(), namespace: 'pid:[1]' };
  const contents = ['', '{"host":', 'null', '1', '{}', '"text"', '[]', ...[elsewhere, elseContainer].map(toJson)];
  // Run all of them at once, as each takes half a minute.
  const waits = contents.map(async (content, i) => {
    const root = await rootWithLock(content, i % 2 === 0 ? 0 : minute);
    const started = performance.now();
    const server = await servers.start(root, { within: 60_000 });
    expect(performance.now() - started, content).toBeGreaterThan(30_000);
    expect((await ownerOf(root)).pid).toBe(server.pid);
    await server.logged('another host or container may be writing here');
  });
  await Promise.all(waits);
}, 300_000);

test('a lock of a running process is respected at any age', async () => {
  const owner = thisProcess();
  const root = await rootWithLock(toJson(owner), minute);
  const { code, stderr } = await servers.startToFailure(root);
  expect(code).toBe(1);
  expect(stderr).toContain(`process ${owner.pid} on ${owner.host}`);
  expect(await ownerOf(root)).toEqual(owner);
});

test('a lock of another host with signs of life is respected, even if the clock of that host is wrong', async () => {
  const owner = { ...thisProcess(), host: 'elsewhere', boot: 'another' };
  const root = await rootWithLock(toJson(owner), 1000 * minute);
  let beats = 0;
  const heartbeat = setInterval(() => {
    const time = Date.now() / 1000 - 60_000 + ++beats;
    void utimes(lockOf(root), time, time);
  }, 1000);
  try {
    const { code, stderr } = await servers.startToFailure(root);
    expect(code).toBe(1);
    expect(stderr).toContain(`process ${owner.pid} on ${owner.host}`);
    expect(await ownerOf(root)).toEqual(owner);
  } finally {
    clearInterval(heartbeat);
  }
});

test('two servers that are process 1 of their containers do not take each other’s lock', async (context) => {
  const container = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'];
  requireOf(context, missingCommand(container[0] ?? '', ...container.slice(1), process.execPath, '--version'));
  const root = await scratch.newDirectory();
  const first = await servers.start(root, { through: container });
  expect((await ownerOf(root)).pid).toBe(1);
  const refused = await servers.startToFailure(root, { through: container });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('is in use by process 1 ');
  expect((await pushBlob(first.url, 'app', newBlob(10))).status).toBe(201);
});

function toJson(owner: Owner): string {
  return JSON.stringify(owner);
}

test('a server keeps its lock fresh', async () => {
  const root = await scratch.newDirectory();
  await servers.start(root);
  await utimes(lockOf(root), 0, 0);
  const age = async (): Promise<number> => Date.now() - (await stat(lockOf(root))).mtimeMs;
  await expect.poll(age, { interval: 250 }).toBeLessThan(10_000);
});

test.each([
  ['by another file under its name', (root: string) => replaceByRename(root)],
  ['by a file that was made after it was removed', (root: string) => replaceLock(root, JSON.stringify(thisProcess()))],
  ['and nobody has it', (root: string) => rm(lockOf(root))],
])('a server whose lock was taken away %s acknowledges nothing more', async (_how, takeAway) => {
  const root = await scratch.newDirectory();
  const server = await servers.start(root);
  const before = newManifest();
  expect((await pushSmall(server.url, 'app', before, '1')).status).toBe(201);

  await takeAway(root);
  const after = newManifest();
  expect((await pushManifest(server.url, 'app', after, '2')).status).toBe(503);
  expect((await pushManifest(server.url, 'app', after, '1')).status).toBe(503);
  expect((await getManifest(server.url, 'app', '2')).status).toBe(404);
  expect((await getManifest(server.url, 'app', '1')).body).toEqual(before.bytes);
  expect(server.log()).not.toContain('\n    at ');
});

test('a server that has lost its lock acknowledges no blob', async () => {
  const root = await scratch.newDirectory();
  const server = await servers.start(root);
  expect((await pushBlob(server.url, 'app', newBlob(10))).status).toBe(201);
  await replaceByRename(root);
  expect((await pushBlob(server.url, 'app', newBlob(10))).status).toBe(503);
});

test.each([true, false])(
  'a server whose lock was taken away leaves the journal of the new owner alone when it stops (it had pushes: %s)',
  async (hadPushes) => {
    const root = await scratch.newDirectory();
    const old = await servers.start(root);
    if (hadPushes) expect((await pushSmall(old.url, 'app', newManifest(), 'old')).status).toBe(201);
    await rm(lockOf(root));

    const owner = await servers.start(root);
    const manifest = newManifest();
    expect((await pushSmall(owner.url, 'app', manifest, '1')).status).toBe(201);
    await old.stop();
    await owner.kill();

    const restarted = await servers.start(root);
    expect((await getManifest(restarted.url, 'app', '1')).body).toEqual(manifest.bytes);
    if (hadPushes) expect((await getManifest(restarted.url, 'app', 'old')).status).toBe(200);
  },
);

async function rootWithLock(content: string, age: number): Promise<string> {
  const root = await scratch.newDirectory();
  await mkdir(join(root, '.ocikit'));
  await replaceLock(root, content, age);
  return root;
}

async function replaceByRename(root: string): Promise<void> {
  await writeFile(`${lockOf(root)}.new`, JSON.stringify(thisProcess()));
  await rename(`${lockOf(root)}.new`, lockOf(root));
}
