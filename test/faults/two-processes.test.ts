import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { newBlob, newManifest } from './content.ts';
import { lockOf, ownerOf, replaceLock, thisProcess } from './lock-file.ts';
import { getBlob, getManifest, pushBlob, pushManifest, pushSmall } from './requests.ts';
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

test('who only reads runs beside the one that writes, and sees what is pushed and what is folded', async () => {
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
  ['whose pid is another process’s by now', { ...thisProcess(), started: '1' }, 0],
  ['whose process is gone', { ...thisProcess(), pid: 2 ** 22 + 1 }, 0],
  ['from before the machine was started', { ...thisProcess(), boot: 'another' }, 0],
  ['from another host that is silent', { ...thisProcess(), host: 'elsewhere', boot: 'another' }, minute],
])('a lock %s is taken over', async (_what, owner, age) => {
  const root = await rootWithLock(JSON.stringify(owner), age);
  const server = await servers.start(root);
  expect((await ownerOf(root)).pid).toBe(server.pid);
  expect((await pushBlob(server.url, 'app', newBlob(10))).status).toBe(201);
});

test.each(['', '{"host":', 'null', '1', '{}', '"text"', '[]'])(
  'a lock that says %j is refused while it is new, and taken over when it is old',
  async (content) => {
    const root = await rootWithLock(content, 0);
    const refused = await servers.startToFailure(root);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('is in use by') as unknown });
    await replaceLock(root, content, minute);
    const server = await servers.start(root);
    expect((await ownerOf(root)).pid).toBe(server.pid);
  },
);

test.each([
  ['of a process that runs', thisProcess(), minute],
  ['from another host that was heard of', { ...thisProcess(), host: 'elsewhere', boot: 'another' }, 0],
])('a lock %s is refused', async (_what, owner, age) => {
  const root = await rootWithLock(JSON.stringify(owner), age);
  const { code, stderr } = await servers.startToFailure(root);
  expect(code).toBe(1);
  expect(stderr).toContain(`process ${owner.pid} on ${owner.host}`);
  expect(await ownerOf(root)).toEqual(owner);
});

test('a server keeps its lock fresh', async () => {
  const root = await scratch.newDirectory();
  await servers.start(root);
  await utimes(lockOf(root), 0, 0);
  const age = async (): Promise<number> => Date.now() - (await stat(lockOf(root))).mtimeMs;
  await expect.poll(age, { timeout: 10_000, interval: 250 }).toBeLessThan(10_000);
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

test('a server whose lock was taken away acknowledges no blob', async () => {
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
