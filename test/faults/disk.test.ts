import { open, readdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';

import { openLayout, openLayouts } from 'ocikit/layout';
import { describe, expect, test } from 'vitest';
import type { TestContext } from 'vitest';

import { emptyConfig, newBlob, newManifest } from './content.ts';
import type { Content, Manifest } from './content.ts';
import { faultsOfLayouts, layoutsBelow, tagsOf } from './layout-check.ts';
import { missingMounts, useMounts } from './mounts.ts';
import {
  deleteBlob,
  deleteManifest,
  getBlob,
  getManifest,
  pushBlob,
  pushBlobInChunks,
  pushManifest,
  pushSmall,
} from './requests.ts';
import type { Answer } from './requests.ts';
import { missingCommand, requireOf } from './requirement.ts';
import { useScratch } from './scratch.ts';
import { useServers } from './server.ts';

const scratch = useScratch();
const mounts = useMounts();
const servers = useServers();

const mebibyte = 1024 * 1024;

async function smallDisk(context: TestContext): Promise<string> {
  const dir = await scratch.newDirectory();
  requireOf(context, missingMounts(dir));
  mounts.tmpfs(dir, 8 * mebibyte);
  return dir;
}

/** Fills the disk with a file, until that file is removed. */
async function fill(dir: string): Promise<string> {
  const path = join(dir, '.ocikit', 'filler');
  const file = await open(path, 'w');
  try {
    for (const size of [65_536, 4096]) {
      const bytes = Buffer.alloc(size);
      for (;;) {
        try {
          if ((await file.write(bytes)).bytesWritten < size) break;
        } catch {
          break;
        }
      }
    }
  } finally {
    await file.close();
  }
  expect((await statfs(dir)).bavail).toBe(0);
  return path;
}

function expectFull({ status, body }: Answer): void {
  expect(status).toBeGreaterThanOrEqual(500);
  expect(JSON.parse(body.toString())).toMatchObject({ errors: [{ code: expect.any(String) as unknown }] });
}

describe.each(['per-repository', 'shared'])('with the layout %s', (layout) => {
  const flags = ['--layout', layout];

  test('pushes to a full disk fail and lose nothing, and succeed again once there is room', async (context) => {
    const root = await smallDisk(context);
    const server = await servers.start(root, { flags });
    const manifest = newManifest();
    expect((await pushSmall(server.url, 'app', manifest, '1')).status).toBe(201);
    const kept: Content[] = [];
    let failed = 0;
    for (let i = 0; i < 20; i++) {
      const blob = newBlob(mebibyte);
      const answer = await (i % 2 === 0 ? pushBlob : pushBlobInChunks)(server.url, 'app', blob);
      if (answer.status === 201) kept.push(blob);
      else {
        failed++;
        expectFull(answer);
        expect((await getBlob(server.url, 'app', blob.digest)).status).toBe(404);
      }
    }
    expect(kept.length).toBeGreaterThan(2);
    expect(failed).toBeGreaterThan(5);
    await server.logged('ENOSPC');

    const everything = async (url: string): Promise<void> => {
      for (const { digest, bytes } of kept) expect((await getBlob(url, 'app', digest)).body.equals(bytes)).toBe(true);
      expect((await getManifest(url, 'app', '1')).body).toEqual(manifest.bytes);
    };
    await everything(server.url);

    const removed = kept.pop();
    expect((await deleteBlob(server.url, 'app', removed?.digest ?? '')).status).toBe(202);
    const small = newBlob(mebibyte / 2);
    expect((await pushBlob(server.url, 'app', small)).status).toBe(201);
    kept.push(small);
    mounts.resize(root, 32 * mebibyte);
    for (let i = 0; i < 4; i++) {
      const blob = newBlob(mebibyte);
      expect((await pushBlob(server.url, 'app', blob)).status).toBe(201);
      kept.push(blob);
    }
    expect((await pushManifest(server.url, 'app', newManifest(), '2')).status).toBe(201);
    await everything(server.url);
    await server.kill();

    const restarted = await servers.start(root, { flags });
    await everything(restarted.url);
    expect((await getManifest(restarted.url, 'app', '2')).status).toBe(200);
    expect((await getBlob(restarted.url, 'app', removed?.digest ?? '')).status).toBe(404);
    expect(await faultsOfLayouts(root)).toEqual([]);
  });

  test('a journal without room on the disk acknowledges nothing', async (context) => {
    const root = await smallDisk(context);
    const server = await servers.start(root, { flags });
    const manifests: Manifest[] = Array.from({ length: 80 }, () => newManifest());
    expect((await pushBlob(server.url, 'app', emptyConfig)).status).toBe(201);
    for (const [tag, manifest] of manifests.entries()) {
      expect((await pushManifest(server.url, 'app', manifest, `${tag}`)).status).toBe(201);
    }
    const filler = await fill(root);
    // Deleting a tag writes only the journal, and the last page of its file has room for some records.
    const answers: Answer[] = [];
    for (const tag of manifests.keys()) answers.push(await deleteManifest(server.url, 'app', `${tag}`));
    const refused = answers.filter(({ status }) => status !== 202);
    expect(refused.length).toBeGreaterThan(0);
    for (const answer of refused) expectFull(answer);

    await rm(filler);
    expect((await pushManifest(server.url, 'app', newManifest(), 'after')).status).toBe(201);
    const expectAsAnswered = async (url: string): Promise<void> => {
      for (const [tag, { status }] of answers.entries()) {
        expect((await getManifest(url, 'app', `${tag}`)).status).toBe(status === 202 ? 404 : 200);
      }
      expect((await getManifest(url, 'app', 'after')).status).toBe(200);
    };
    await expectAsAnswered(server.url);
    await server.kill();
    await expectAsAnswered((await servers.start(root, { flags })).url);
  });

  test('a server that stops and starts on a full disk loses nothing', async (context) => {
    const root = await smallDisk(context);
    const server = await servers.start(root, { flags });
    const manifests = Array.from({ length: 10 }, () => newManifest());
    for (const [tag, manifest] of manifests.entries()) {
      expect((await pushSmall(server.url, 'app', manifest, `${tag}`)).status).toBe(201);
    }
    const filler = await fill(root);
    expect(await server.stop()).toBe(1);
    await server.logged('ENOSPC');

    const refused = await servers.startToFailure(root, { flags });
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('ENOSPC') as unknown });
    expect(await faultsOfLayouts(root)).toEqual([]);

    await rm(filler);
    const restarted = await servers.start(root, { flags });
    for (const [tag, manifest] of manifests.entries()) {
      expect((await getManifest(restarted.url, 'app', `${tag}`)).body).toEqual(manifest.bytes);
    }
    expect(await faultsOfLayouts(root)).toEqual([]);
    const leftovers = (await readdir(root, { recursive: true })).filter((name) => name.endsWith('.tmp'));
    expect(leftovers).toEqual([]);
  });

  test('an index that could not be written once does not undo later changes', async (context) => {
    const root = await smallDisk(context);
    const openRoot = layout === 'shared' ? openLayout : openLayouts;
    const [first, second] = [newManifest(), newManifest()];
    {
      await using registry = openRoot(root);
      const { digest, bytes } = emptyConfig;
      await registry.pushBlob('app', { digest, size: bytes.length }, bytes);
      await registry.pushManifest('app', first.bytes, first.mediaType, { tags: ['latest', 'deleted'] });
      const filler = await fill(root);
      await expect(registry.fold()).rejects.toThrow('ENOSPC');
      await rm(filler);
      await registry.pushManifest('app', second.bytes, second.mediaType, { tags: ['latest'] });
      await registry.deleteTag('app', 'deleted');
      await registry.fold();
    }
    const server = await servers.start(root, { flags });
    expect((await getManifest(server.url, 'app', 'latest')).body).toEqual(second.bytes);
    expect((await getManifest(server.url, 'app', 'deleted')).status).toBe(404);
    expect(server.log()).not.toContain('warning');
    const [dir = ''] = await layoutsBelow(root);
    expect([...(await tagsOf(dir)).values()]).toContain(second.digest);
  });
});

test('a root that cannot be written is a clear error at the start', async (context) => {
  const root = await scratch.newDirectory();
  requireOf(context, missingMounts(root));
  mounts.readOnly(root);
  const { code, stderr } = await servers.startToFailure(root);
  expect(code).toBe(1);
  expect(stderr).toMatch(/EROFS|read-only/);
  expect(stderr).toContain(root);
  expect(stderr).not.toContain('\n    at ');
});

test('a root of another user is a clear error at the start', async (context) => {
  const root = await scratch.newDirectory();
  const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
  const isRoot = process.getuid?.() === 0;
  requireOf(
    context,
    isRoot
      ? missingCommand('setpriv', ...nobody.slice(1), process.execPath, '--version')
      : 'only root can become somebody else',
  );
  const { code, stderr } = await servers.startToFailure(root, { through: nobody });
  expect(code).toBe(1);
  expect(stderr).toContain('EACCES');
  expect(stderr).toContain(root);
  expect(stderr).not.toContain('\n    at ');
});

test('a read-only server serves a root on a read-only disk', async (context) => {
  const root = await scratch.newDirectory();
  requireOf(context, missingMounts(root));
  const writer = await servers.start(root);
  const manifest = newManifest();
  expect((await pushSmall(writer.url, 'app', manifest, '1')).status).toBe(201);
  await writer.kill();
  mounts.readOnly(root);
  const reader = await servers.start(root, { flags: ['--read-only'] });
  expect((await getManifest(reader.url, 'app', '1')).body).toEqual(manifest.bytes);
  expect((await getBlob(reader.url, 'app', emptyConfig.digest)).body).toEqual(emptyConfig.bytes);
});
