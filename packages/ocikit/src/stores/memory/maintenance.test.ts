import { rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { collect, createContent, digestOf, maintenanceOf, mediaTypes } from '../../model/index.ts';
import type { Digest, Maintenance, Registry } from '../../model/index.ts';
import { memoryBlobs } from '../blobs/index.ts';
import type { BlobStore } from '../blobs/index.ts';
import { diskBlobs } from '../blobs/node.ts';
import { temporaryDirectory } from '../../../test/temporary-directory.ts';

import { createMemoryRegistry } from './memory-registry.ts';
import type { MemoryRegistryOptions } from './memory-registry.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const bytes = encode('hello');
const digest = digestOf(bytes);
const image = encode(
  JSON.stringify({ schemaVersion: 2, config: { mediaType: mediaTypes.imageConfig, digest, size: bytes.length } }),
);

function maintained(options?: MemoryRegistryOptions): { registry: Registry; upkeep: Maintenance } {
  const registry = createMemoryRegistry(options);
  const upkeep = maintenanceOf(registry);
  if (upkeep === undefined) throw new Error('a registry in memory can be maintained');
  return { registry, upkeep };
}

/** An hour from now: everything has been unused since. */
const later = (): { unusedSince: Date } => ({ unusedSince: new Date(Date.now() + 3_600_000) });

describe('verifying', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await temporaryDirectory();
  });

  test.each<['ok' | 'corrupt' | 'missing', string, (path: string) => Promise<void>]>([
    ['ok', 'is as it was written', async () => undefined],
    ['corrupt', 'has other bytes', (path) => writeFile(path, 'jello')],
    ['corrupt', 'has too few bytes', (path) => truncate(path, 3)],
    ['corrupt', 'has too many bytes', (path) => writeFile(path, 'hello!')],
    ['corrupt', 'is empty', (path) => truncate(path, 0)],
    ['missing', 'is gone', (path) => rm(path)],
  ])('says %s of a file that %s', async (verdict, _what, damage) => {
    const { registry, upkeep } = maintained({ blobs: diskBlobs(dir) });
    await registry.pushBlob('a', { digest }, bytes);
    await damage(join(dir, digest.replace(':', '/')));
    expect(await upkeep.verify('a', digest)).toBe(verdict);
  });

  test('says ok of a manifest, with the algorithm that it was pushed with', async () => {
    const { registry, upkeep } = maintained();
    const sha512 = digestOf(image, 'sha512');
    await registry.pushBlob('a', { digest }, bytes);
    await registry.pushManifest('a', image, mediaTypes.imageManifest, { digest: sha512 });
    expect(await upkeep.verify('a', sha512)).toBe('ok');
    expect(await upkeep.verify('a', digestOf(image))).toBe('missing');
  });

  test('says missing of what the repository does not have, although another one does', async () => {
    const { registry, upkeep } = maintained();
    await registry.pushBlob('a', { digest }, bytes);
    expect(await upkeep.verify('b', digest)).toBe('missing');
  });

  test('fails if the blob store fails', async () => {
    const memory = memoryBlobs();
    const { registry, upkeep } = maintained({
      blobs: { ...memory, get: () => Promise.reject(new Error('no route to host')) },
    });
    await registry.pushBlob('a', { digest }, bytes);
    await expect(upkeep.verify('a', digest)).rejects.toThrow('no route to host');
  });
});

describe('removing what is unused', () => {
  test('is not done where the blob store cannot delete', async () => {
    const blobs: BlobStore = { ...memoryBlobs() };
    delete blobs.delete;
    const { registry, upkeep } = maintained({ blobs });
    await registry.pushBlob('a', { digest }, bytes);
    expect(await upkeep.removeUnused('a', digest, later())).toBe(false);
    expect((await registry.resolveBlob('a', digest)).size).toBe(5);
  });

  test('leaves the bytes to the other repositories', async () => {
    const { registry, upkeep } = maintained();
    await registry.pushBlob('a', { digest }, bytes);
    await registry.mountBlob('a', 'b', digest);
    expect(await upkeep.removeUnused('a', digest, later())).toBe(true);
    expect(await collect(registry.repositories())).toEqual(['b']);
    expect(await (await registry.getBlob('b', digest)).bytes()).toEqual(bytes);
  });

  test('does nothing in a repository that does not exist', async () => {
    expect(await maintained().upkeep.removeUnused('a', digest, later())).toBe(false);
  });

  test('waits for the last of several leases, each of which ends once', async () => {
    const { registry, upkeep } = maintained();
    const one = await upkeep.lease('a', [digest, digest]);
    const other = await upkeep.lease('a', [digest]);
    await upkeep.lease('b', [digest]);
    await registry.pushBlob('a', { digest }, bytes);
    expect(await upkeep.removeUnused('a', digest, later())).toBe(false);
    await one[Symbol.asyncDispose]();
    await one[Symbol.asyncDispose]();
    expect(await upkeep.removeUnused('a', digest, later())).toBe(false);
    await other[Symbol.asyncDispose]();
    expect(await upkeep.removeUnused('a', digest, later())).toBe(true);
  });
});

describe('the time of the last use', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 0 });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  async function usedAt(upkeep: Maintenance, repository: string, of: Digest): Promise<number | undefined> {
    const stored = [...(await collect(upkeep.blobs(repository))), ...(await collect(upkeep.manifests(repository)))];
    return stored.find(({ descriptor }) => descriptor.digest === of)?.usedAt.getTime();
  }

  const manifestDigest = digestOf(image);

  test.each<[string, Digest, (registry: Registry) => Promise<unknown>]>([
    ['a blob by pushing it again', digest, (registry) => registry.pushBlob('a', { digest }, bytes)],
    ['a blob by reading it', digest, (registry) => registry.getBlob('a', digest)],
    ['a blob by resolving it', digest, (registry) => registry.resolveBlob('a', digest)],
    ['a blob by mounting it elsewhere', digest, (registry) => registry.mountBlob('a', 'b', digest)],
    [
      'a blob by pushing a manifest that names it',
      digest,
      (registry) => registry.pushManifest('a', image, mediaTypes.imageManifest),
    ],
    [
      'a manifest by pushing it again',
      manifestDigest,
      (registry) => registry.pushManifest('a', image, mediaTypes.imageManifest),
    ],
    ['a manifest by reading it', manifestDigest, (registry) => registry.getManifest('a', manifestDigest)],
    ['a manifest by resolving it', manifestDigest, (registry) => registry.resolveManifest('a', manifestDigest)],
    ['a manifest by reading its tag', manifestDigest, (registry) => registry.getTag('a', 'v1')],
    ['a manifest by resolving its tag', manifestDigest, (registry) => registry.resolveTag('a', 'v1')],
  ])('changes for %s', async (_what, of, use) => {
    const { registry, upkeep } = maintained();
    await registry.pushBlob('a', { digest }, bytes);
    await registry.pushManifest('a', image, mediaTypes.imageManifest, { tags: ['v1'] });
    expect(await usedAt(upkeep, 'a', of)).toBe(0);
    vi.setSystemTime(1000);
    await use(registry);
    expect(await usedAt(upkeep, 'a', of)).toBe(1000);
    expect((await collect(upkeep.blobs('a')))[0]?.createdAt.getTime()).toBe(0);
  });

  test('does not change by listing', async () => {
    const { registry, upkeep } = maintained();
    await registry.pushBlob('a', { digest }, bytes);
    await registry.pushManifest('a', image, mediaTypes.imageManifest, { tags: ['v1'] });
    vi.setSystemTime(1000);
    await collect(registry.tags('a'));
    await upkeep.verify('a', digest);
    expect(await usedAt(upkeep, 'a', digest)).toBe(0);
    expect(await usedAt(upkeep, 'a', manifestDigest)).toBe(0);
  });
});

describe('a blob that the blob store failed to remove', () => {
  test('is an orphan, until it can be removed or a repository has it again', async () => {
    const memory = memoryBlobs();
    let isBroken = true;
    const remove: BlobStore['delete'] = (...args) =>
      isBroken ? Promise.reject(new Error('not now')) : (memory.delete?.(...args) ?? Promise.resolve());
    const { registry, upkeep } = maintained({ blobs: { ...memory, delete: remove } });
    await registry.pushBlob('a', { digest }, bytes);
    expect(await collect(upkeep.orphans())).toEqual([]);
    await expect(upkeep.removeUnused('a', digest, later())).rejects.toThrow('not now');
    expect(await collect(upkeep.orphans())).toMatchObject([{ digest, size: bytes.length }]);
    expect(await upkeep.removeOrphan(digest, { unusedSince: new Date(0) })).toBe(false);
    await expect(upkeep.removeOrphan(digest, later())).rejects.toThrow('not now');
    await registry.pushBlob('b', { digest }, bytes);
    expect(await collect(upkeep.orphans())).toEqual([]);
    expect(await upkeep.removeOrphan(digest, later())).toBe(false);
    await expect(upkeep.removeUnused('b', digest, later())).rejects.toThrow('not now');
    isBroken = false;
    expect(await upkeep.removeOrphan(digest, later())).toBe(true);
    expect(await collect(upkeep.orphans())).toEqual([]);
    await expect(memory.get('a', digest, {})).rejects.toThrow();
  });
});

describe('putting damaged bytes aside', () => {
  test('takes them from every repository that shares them', async () => {
    const dir = await temporaryDirectory();
    const { registry, upkeep } = maintained({ blobs: diskBlobs(dir) });
    await registry.pushBlob('a', { digest }, bytes);
    await registry.mountBlob('a', 'b', digest);
    await writeFile(join(dir, digest.replace(':', '/')), 'jello');
    expect(await upkeep.quarantine('b', digest)).toBe(true);
    for (const repository of ['a', 'b']) {
      await expect(registry.resolveBlob(repository, digest)).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
    }
  });

  test('is not done where the blob store cannot delete', async () => {
    const dir = await temporaryDirectory();
    const blobs: BlobStore = { ...diskBlobs(dir) };
    delete blobs.delete;
    const { registry, upkeep } = maintained({ blobs });
    await registry.pushBlob('a', { digest }, bytes);
    await writeFile(join(dir, digest.replace(':', '/')), 'jello');
    await expect(upkeep.quarantine('a', digest)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  test('leaves right bytes that were pushed meanwhile', async () => {
    const dir = await temporaryDirectory();
    const disk = diskBlobs(dir);
    let isSlow = false;
    const { registry, upkeep } = maintained({
      blobs: {
        ...disk,
        async get(...args) {
          const content = await disk.get(...args);
          if (!isSlow) return content;
          isSlow = false;
          const old = await content.bytes();
          await registry.pushBlob('b', { digest }, bytes);
          return createContent({ descriptor: content.descriptor, source: { pieces: [old] } });
        },
      },
    });
    await registry.pushBlob('a', { digest }, bytes);
    await writeFile(join(dir, digest.replace(':', '/')), 'jello');
    isSlow = true;
    expect(await upkeep.quarantine('a', digest)).toBe(false);
    expect(await (await registry.getBlob('a', digest)).bytes()).toEqual(bytes);
  });
});

test('usage counts content once, however many repositories have it, and what uploads hold', async () => {
  const { registry, upkeep } = maintained();
  expect(await upkeep.usage()).toEqual({ repositories: 0, manifests: 0, blobs: 0, uploads: 0, size: 0 });
  for (const repository of ['a', 'b']) {
    await registry.pushBlob(repository, { digest }, bytes);
    await registry.pushManifest(repository, image, mediaTypes.imageManifest);
  }
  await (await registry.startUpload('c')).append(encode('123'));
  await registry.startUpload('d');
  expect(await upkeep.usage()).toEqual({
    repositories: 2,
    manifests: 1,
    blobs: 1,
    uploads: 1,
    size: bytes.length + image.length + 3,
  });
});
