import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { digestOf, maintenanceOf, splitDigest } from '../../model/index.ts';
import type { Digest, Maintenance } from '../../model/index.ts';
import { imageOf, pushContent, randomBlob } from '../../testing/index.ts';
import { diskBlobs } from '../blobs/node.ts';

import { openLayout, openLayouts } from './index.ts';
import type { LayoutRegistry } from './index.ts';

let dir: string;
const warnings: string[] = [];
const opened: LayoutRegistry[] = [];
const cleanUp: (() => unknown)[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-special-'));
});
afterEach(async () => {
  for (const registry of opened.splice(0)) await registry.close().catch(() => undefined);
  for (const step of cleanUp.splice(0)) await step();
  warnings.splice(0);
  await rm(dir, { recursive: true });
});

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const kindsOfFile: [string, (path: string) => Promise<unknown>][] = [
  ['a FIFO', async (path) => execFileSync('mkfifo', [path])],
  ['a directory', (path) => mkdir(path)],
  ['a symbolic link', (path) => symlink('/dev/zero', path)],
  [
    'a socket',
    async (path) => {
      // The path of a socket must be short.
      const short = join(dir, 'socket');
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(short, resolve));
      cleanUp.push(() => server.close());
      await rename(short, path);
    },
  ],
];
// Only root may make devices.
if (process.platform === 'linux' && process.getuid?.() === 0) {
  kindsOfFile.push(['a device', async (path) => execFileSync('mknod', [path, 'c', '1', '5'])]);
}

function upkeepOf(registry: LayoutRegistry): Maintenance {
  const found = maintenanceOf(registry);
  if (found === undefined) throw new Error('no maintenance');
  return found;
}

const content = imageOf();
const layouts = [
  ['a shared layout', openLayout, ''],
  ['a layout for each repository', openLayouts, 'app'],
] as const;

describe.each(layouts)('%s', (_name, kind, directory) => {
  const open = (): LayoutRegistry => {
    const registry = kind(dir, { durability: 'none', onWarning: (message) => warnings.push(message) });
    opened.push(registry);
    return registry;
  };
  const base = (): string => join(dir, directory);
  const blobPath = (digest: Digest): string => {
    const { algorithm, encoded } = splitDigest(digest);
    return join(base(), 'blobs', algorithm, encoded);
  };

  describe.each(kindsOfFile)('with %s', (_kind, make) => {
    beforeEach(async () => {
      const registry = open();
      await pushContent(registry, 'app', content, { tags: ['v1'] });
      await registry.close();
    });
    const replace = async (path: string): Promise<void> => {
      await rm(path, { recursive: true, force: true });
      await make(path);
    };

    test('in place of a blob or manifest does not have them, says why, and takes others', async () => {
      const [blob] = content.blobs;
      if (blob === undefined) throw new Error('no blob');
      const manifest = content.descriptor.digest;
      await replace(blobPath(blob.descriptor.digest));
      await replace(blobPath(manifest));
      const registry = open();
      for (const registryOf of [registry, open()]) {
        await expect(registryOf.getBlob('app', blob.descriptor.digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
        await expect(registryOf.resolveBlob('app', blob.descriptor.digest)).rejects.toMatchObject({
          code: 'BLOB_UNKNOWN',
        });
        for (const read of [registryOf.getTag('app', 'v1'), registryOf.resolveTag('app', 'v1')]) {
          await expect(read).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
        }
        expect(warnings).toContain('content is no regular file: it counts as missing');
        warnings.splice(0);
        await registry.own();
      }
      const upkeep = upkeepOf(registry);
      const states = await Promise.all([manifest, blob.descriptor.digest].map((one) => upkeep.verify('app', one)));
      expect(states.every((state) => state !== 'ok')).toBe(true);
      await expect(upkeep.readManifest('app', manifest)).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
      await collect(upkeep.blobs('app'));
      await collect(upkeep.manifests('app'));
      const other = imageOf();
      await pushContent(registry, 'app', other, { tags: ['v2'] });
      expect((await registry.getTag('app', 'v2')).bytes).toEqual(other.bytes);
      const push = pushContent(registry, 'app', content, { tags: ['v1'] });
      if (_kind === 'a directory') {
        await expect(push).rejects.toMatchObject({
          code: 'UNAVAILABLE',
          message: expect.stringContaining(dir) as string,
        });
      } else {
        await push;
        expect((await registry.getTag('app', 'v1')).bytes).toEqual(content.bytes);
      }
    });

    test.each(['index.json', 'oci-layout'])('in place of %s is refused, with its path', async (name) => {
      await replace(join(base(), name));
      const registry = open();
      const refused = { code: 'UNAVAILABLE', message: expect.stringContaining(join(base(), name)) as string };
      await expect(registry.resolveTag('app', 'v1')).rejects.toMatchObject(refused);
      await expect(registry.getTag('app', 'v1')).rejects.toMatchObject(refused);
      await expect(pushContent(registry, 'app', imageOf(), { tags: ['v2'] })).rejects.toMatchObject(refused);
      if (directory !== '') await pushContent(registry, 'other', content, { tags: ['v1'] });
    });

    test.each(['lock', 'key', 'journal-1'])('in place of .ocikit/%s is refused, with its path', async (name) => {
      const path = join(dir, '.ocikit', name);
      await replace(path);
      const registry = open();
      await expect(registry.own()).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringContaining(path) as string,
      });
      await registry.close();
    });

    test('in place of files that can be missed is served without them', async () => {
      await replace(join(dir, '.ocikit/used'));
      const registry = open();
      await registry.own();
      await mkdir(join(dir, '.ocikit/uploads'), { recursive: true });
      await replace(join(dir, '.ocikit/uploads/x'));
      expect(await collect(upkeepOf(registry).uploads(undefined))).toEqual([]);
      await pushContent(registry, 'app', imageOf(), { tags: ['v2'] });
      await registry.close();
    });

    test('in place of a snapshot or a history is refused, with its path', async () => {
      for (const name of ['snapshots', 'history']) {
        for (const file of await readdir(join(dir, '.ocikit', name))) {
          const path = join(dir, '.ocikit', name, file);
          const bytes = await readFile(path);
          await replace(path);
          const registry = open();
          const named = { message: expect.stringContaining(path) as string };
          const use = async (): Promise<void> => {
            await registry.own();
            await pushContent(registry, 'app', imageOf(), { tags: ['v3'] });
            await registry.fold();
          };
          await expect(use()).rejects.toMatchObject(named);
          await registry.close().catch(() => undefined);
          await rm(path, { recursive: true });
          await writeFile(path, bytes);
        }
      }
    });

    test('in place of an index that is in use serves the last known one', async () => {
      const registry = open();
      await registry.own();
      await registry.getTag('app', 'v1');
      await replace(join(base(), 'index.json'));
      await new Promise((resolve) => setTimeout(resolve, 1100));
      expect(await collect(registry.tags('app'))).toEqual(['v1']);
      await pushContent(registry, 'app', imageOf(), { tags: ['v2'] });
      expect(await collect(registry.tags('app'))).toEqual(['v1', 'v2']);
      await expect(registry.fold()).rejects.toThrow('index.json');
    });
  });

  test.each([0o000, 0o022, 0o077])('has modes that let nobody else into .ocikit, with the umask %o', async (umask) => {
    const before = process.umask(umask);
    try {
      const registry = open();
      await pushContent(registry, 'app', content, { tags: ['v1'] });
      const large = randomBlob(200_000);
      await registry.pushBlob('app', large.descriptor, large.bytes);
      const upload = await registry.startUpload('app');
      await upload.append(large.bytes.subarray(0, 100_000));
      const modeOf = async (path: string): Promise<number> => (await stat(join(dir, path))).mode & 0o777;
      const [file] = await readdir(join(dir, '.ocikit/uploads'));
      expect(await modeOf(`.ocikit/uploads/${file}`)).toBe(0o600);
      await upload.append(large.bytes.subarray(100_000));
      await upload.commit(large.descriptor.digest);
      await registry.fold();
      for (const name of await readdir(join(dir, '.ocikit'), { recursive: true })) {
        const stats = await stat(join(dir, '.ocikit', name));
        expect([name, stats.mode & 0o777]).toEqual([name, stats.isDirectory() ? 0o700 : 0o600]);
      }
      expect(await modeOf('.ocikit')).toBe(0o700);
      for (const digest of [large.descriptor.digest, content.descriptor.digest]) {
        expect((await stat(blobPath(digest))).mode & 0o777).toBe(0o644 & ~umask);
      }
      await registry.close();
    } finally {
      process.umask(before);
    }
  });

  test('locks others out of an .ocikit that an earlier version made', async () => {
    const registry = open();
    await pushContent(registry, 'app', content, { tags: ['v1'] });
    await registry.close();
    await chmod(join(dir, '.ocikit'), 0o755);
    await chmod(join(dir, '.ocikit/key'), 0o644);
    await open().own();
    expect((await stat(join(dir, '.ocikit'))).mode & 0o777).toBe(0o700);
    expect((await stat(join(dir, '.ocikit/key'))).mode & 0o777).toBe(0o600);
  });

  test.each(['.ocikit', '.ocikit/uploads', '.ocikit/snapshots', '.ocikit/history', '.ocikit/tmp'])(
    'refuses a %s that is a symbolic link',
    async (name) => {
      const elsewhere = await mkdtemp(join(tmpdir(), 'ocikit-elsewhere-'));
      cleanUp.push(() => rm(elsewhere, { recursive: true }));
      await mkdir(join(dir, name, '..'), { recursive: true });
      await symlink(elsewhere, join(dir, name));
      const registry = open();
      const refused = {
        code: 'UNAVAILABLE',
        message: `${join(dir, name)} is a symbolic link, but must be a directory: remove it`,
      };
      await expect(registry.own()).rejects.toMatchObject(refused);
      await expect(registry.getTag('app', 'v1')).rejects.toMatchObject(refused);
      expect(await readdir(elsewhere)).toEqual([]);
    },
  );
});

describe.each(kindsOfFile)('a directory of blobs with %s', (name, make) => {
  test('does not have a blob in its place', async () => {
    const blobs = diskBlobs(dir);
    const bytes = Buffer.from('content');
    const digest = digestOf(bytes);
    const { algorithm, encoded } = splitDigest(digest);
    await mkdir(join(dir, algorithm));
    await make(join(dir, algorithm, encoded));
    await expect(blobs.get('app', digest, {})).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    await expect(blobs.stat?.('app', digest, {})).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    async function* pieces(): AsyncGenerator<Uint8Array> {
      yield bytes;
    }
    const put = blobs.put?.('app', { digest, size: bytes.length }, pieces(), {});
    if (name === 'a directory') await expect(put).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    else await put;
  });
});
