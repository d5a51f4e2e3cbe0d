import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { digestOf, maintenanceOf, splitDigest } from '../../../model/index.ts';
import { blobOf, emptyJson, imageOf, pushContent, pushImage } from '../../../testing/index.ts';

import { openLayout, openLayouts } from '../index.ts';
import type { LayoutRegistry, LayoutsOptions } from '../index.ts';

import { Layout } from '../index/index.ts';
import { HistoryFiles } from '../journal/index.ts';

import { LayoutStore } from './store.ts';

let dir: string;
const opened: LayoutRegistry[] = [];
const warnings: string[] = [];
const copies: string[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-store-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const registry of opened.splice(0)) await registry.close().catch(() => undefined);
  warnings.splice(0);
  for (const path of [dir, ...copies.splice(0)]) await rm(path, { recursive: true });
});

const options: LayoutsOptions = { durability: 'none', onWarning: (message) => warnings.push(message) };

function open(kind: typeof openLayout | typeof openLayouts, path = dir): LayoutRegistry {
  const registry = kind(path, options);
  opened.push(registry);
  return registry;
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** As the disk is when the process is killed. */
async function killed(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'ocikit-store-copy-'));
  copies.push(copy);
  await cp(dir, copy, { recursive: true });
  await rm(join(copy, '.ocikit/lock'), { force: true });
  return copy;
}

const content = imageOf({ config: emptyJson(), layers: [blobOf('a layer')] });
const kinds = [
  ['a shared layout', openLayout],
  ['a layout for each repository', openLayouts],
] as const;

describe('a root with very many repositories', () => {
  test('keeps what is pushed to all of them at once, although 128 can be open', async () => {
    const registry = open(openLayouts);
    const names = Array.from({ length: 150 }, (_, i) => `group-${i % 7}/app${i}`);
    await Promise.all(names.map((name) => pushContent(registry, name, content, { tags: ['first'] })));
    await registry.fold();
    // Each of them is evicted while others are being pushed to.
    await Promise.all(
      names.map((name) => registry.pushManifest(name, content.bytes, content.mediaType, { tags: ['second'] })),
    );
    await registry.close();
    const again = open(openLayouts);
    for (const name of names) expect(await collect(again.tags(name))).toEqual(['first', 'second']);
    expect(await collect(again.repositories())).toEqual(names.toSorted());
    expect(warnings).toEqual([]);
  });

  test('has one object for each directory as long as it is held', async () => {
    const store = new LayoutStore({
      root: dir,
      isShared: false,
      defaultRepository: undefined,
      durability: 'none',
      warn: () => undefined,
    });
    const held = await store.layoutOf('app');
    for (let i = 0; i < 400; i++) await store.layoutOf(`other${i}`);
    expect(await store.layoutOf('app')).toBe(held);
    await store.close();
  });
});

describe.each(kinds)('%s', (_name, kind) => {
  test.each(['fsync', 'none'] as const)(
    'keeps bytes whose buffer is used again for the next ones: %s',
    async (durability) => {
      const registry = kind(dir, { durability });
      opened.push(registry);
      const buffer = Buffer.alloc(3000);
      async function* reusing(): AsyncGenerator<Uint8Array> {
        for (const text of ['one', 'two', 'three']) yield buffer.fill(text);
        buffer.fill('nothing');
      }
      const bytes = Buffer.concat(['one', 'two', 'three'].map((text) => Buffer.alloc(3000, text)));
      const digest = digestOf(bytes);
      await registry.pushBlob('app', { digest, size: bytes.length }, reusing());
      expect(Buffer.from(await (await registry.getBlob('app', digest)).bytes()).equals(bytes)).toBe(true);
    },
  );

  test('is written in the background when its journal has grown, and the journal is gone', async () => {
    const registry = open(kind);
    await pushContent(registry, 'app', content);
    const tags = Array.from({ length: 20_000 }, (_, i) => `tag-${i}`.padEnd(100, 'x'));
    for (let at = 0; at < tags.length; at += 2000) {
      await registry.pushManifest('app', content.bytes, content.mediaType, { tags: tags.slice(at, at + 2000) });
    }
    await registry.fold();
    const names = await readdir(join(dir, '.ocikit'));
    expect(names.filter((name) => name.startsWith('journal-'))).toEqual([]);
    const again = open(kind, await killed());
    expect((await collect(again.tags('app'))).length).toBe(tags.length);
  });

  test('loses nothing when its index cannot be written, and writes it when it can', async () => {
    const registry = open(kind);
    await pushContent(registry, 'app', content, { tags: ['v1'] });
    const snapshots = join(dir, '.ocikit/snapshots');
    await writeFile(snapshots, 'in the way');
    await expect(registry.fold()).rejects.toThrow('EEXIST');
    const second = await pushImage(registry, 'app', { tags: ['v1'] });
    await expect(registry.fold()).rejects.toThrow('EEXIST');
    await registry.pushManifest('app', content.bytes, content.mediaType, { tags: ['v2'] });
    const early = open(kind, await killed());
    expect((await early.resolveTag('app', 'v1')).digest).toBe(second.descriptor.digest);

    await rm(snapshots);
    await registry.fold();
    const names = await readdir(join(dir, '.ocikit'));
    expect(names.filter((name) => name.startsWith('journal-'))).toEqual([]);
    const late = open(kind, await killed());
    await late.own();
    expect((await late.resolveTag('app', 'v1')).digest).toBe(second.descriptor.digest);
    expect((await late.resolveTag('app', 'v2')).digest).toBe(content.descriptor.digest);
    expect(warnings).toEqual([]);
  });

  test('includes in a fold that is asked for what was acknowledged before, also if one runs already', async () => {
    const registry = open(kind);
    await pushContent(registry, 'app', content, { tags: ['v1'] });
    const running = registry.fold();
    await registry.pushManifest('app', content.bytes, content.mediaType, { tags: ['v2'] });
    await Promise.all([running, registry.fold()]);
    const path = join(dir, kind === openLayout ? 'index.json' : 'app/index.json');
    expect(await readFile(path, 'utf8')).toContain('v2');
  });

  test('is not emptied by many first pushes at once', async () => {
    const registry = open(kind);
    await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        await pushContent(registry, 'app', content, { tags: [`t${i}`] });
        await registry.fold();
      }),
    );
    const again = open(kind, await killed());
    expect((await collect(again.tags('app'))).length).toBe(20);
    expect(warnings).toEqual([]);
  });

  test('refuses a second process that writes, lets it read, and shows it what is new when it opens', async () => {
    const writer = open(kind);
    await pushContent(writer, 'app', content, { tags: ['v1'] });
    const reader = open(kind);
    expect((await reader.resolveTag('app', 'v1')).digest).toBe(content.descriptor.digest);
    await expect(pushContent(reader, 'app', content)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(reader.deleteTag('app', 'v1')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const second = await pushImage(writer, 'app', { tags: ['v1'] });
    expect((await open(kind).resolveTag('app', 'v1')).digest).toBe(second.descriptor.digest);
    await writer.close();
    await reader.deleteTag('app', 'v1');
    expect(await collect(reader.tags('app'))).toEqual([]);
  });

  test('can be deleted from by a process that has only read until then', async () => {
    const writer = open(kind);
    await pushContent(writer, 'app', content, { tags: ['v1'] });
    const copy = await killed();
    const registry = open(kind, copy);
    await registry.resolveTag('app', 'v1');
    await registry.deleteManifest('app', content.descriptor.digest);
    await expect(registry.resolveTag('app', 'v1')).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    await registry.close();
    const again = open(kind, copy);
    await expect(again.resolveManifest('app', content.descriptor.digest)).rejects.toMatchObject({
      code: 'MANIFEST_UNKNOWN',
    });
  });

  test('answers what comes after it was closed, and does not take the lock again', async () => {
    const registry = open(kind);
    await pushContent(registry, 'app', content, { tags: ['v1'] });
    const late = registry.pushManifest('app', content.bytes, content.mediaType, { tags: ['v2'] });
    const isIn = late.then(
      () => true,
      (error: unknown) => {
        expect(error).toMatchObject({ code: 'UNAVAILABLE' });
        return false;
      },
    );
    await Promise.all([registry.close(), registry.close()]);
    await expect(pushContent(registry, 'app', content)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(stat(join(dir, '.ocikit/lock'))).rejects.toThrow('ENOENT');
    const tags = (await isIn) ? ['v1', 'v2'] : ['v1'];
    expect(await collect(open(kind).tags('app'))).toEqual(tags);
    const never = open(kind, join(dir, 'never'));
    await never.close();
    await expect(never.own()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('writes nothing any more when its lock was taken away', async () => {
    const registry = open(kind);
    await pushContent(registry, 'app', content, { tags: ['v1'] });
    await rm(join(dir, '.ocikit/lock'));
    await expect(registry.deleteTag('app', 'v1')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect((await registry.resolveTag('app', 'v1')).digest).toBe(content.descriptor.digest);
    const other = open(kind);
    await other.deleteTag('app', 'v1');
    await expect(registry.fold()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await collect(other.tags('app'))).toEqual([]);
    await registry.close().catch(() => undefined);
    await other.pushManifest('app', content.bytes, content.mediaType, { tags: ['v3'] });
  });

  test('keeps a blob that is a manifest as well when the manifest is deleted, and after it was opened again', async () => {
    const registry = open(kind);
    const { digest } = content.descriptor;
    await registry.pushBlob('app', { digest }, content.bytes);
    await pushContent(registry, 'app', content, { tags: ['v1'] });
    await registry.close();
    const again = open(kind);
    expect((await again.resolveBlob('app', digest)).size).toBe(content.bytes.length);
    await again.deleteManifest('app', digest);
    await again.close();
    expect((await open(kind).resolveBlob('app', digest)).size).toBe(content.bytes.length);
  });

  test('never reports content that is being removed', async () => {
    const registry = open(kind);
    await pushContent(registry, 'app', content);
    for (let i = 0; i < 30; i++) {
      const blob = blobOf(`unused ${i}`);
      const { digest } = blob.descriptor;
      await registry.pushBlob('app', blob.descriptor, blob.bytes);
      const unusedSince = new Date(Date.now() + 1);
      await new Promise((resolve) => setTimeout(resolve, 2));
      const removing = maintenanceOf(registry)?.removeUnused('app', digest, { unusedSince });
      for (let turn = 0; turn < i % 7; turn++) await Promise.resolve();
      const seen = await registry.resolveBlob('app', digest).then(
        () => true,
        () => false,
      );
      const isRemoved = await removing;
      expect(isRemoved).toBe(!seen);
    }
  });

  test('does not follow a symbolic link out of the root', async () => {
    const outside = await mkdtemp(join(tmpdir(), 'ocikit-outside-'));
    const registry = open(kind);
    const secret = blobOf('a secret');
    await pushContent(registry, 'app', content, { tags: ['v1'] });
    await registry.pushBlob('app', secret.descriptor, secret.bytes);
    await registry.close();
    const { algorithm, encoded } = splitDigest(secret.descriptor.digest);
    const base = kind === openLayout ? dir : join(dir, 'app');
    const path = join(base, 'blobs', algorithm, encoded);
    await writeFile(join(outside, encoded), secret.bytes);
    await rm(path);
    await symlink(join(outside, encoded), path);
    await expect(open(kind).getBlob('app', secret.descriptor.digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });

    warnings.splice(0);
    await cp(join(base, 'blobs'), join(outside, 'blobs'), { recursive: true });
    await rm(join(base, 'blobs'), { recursive: true });
    await symlink(join(outside, 'blobs'), join(base, 'blobs'));
    await expect(open(kind).getTag('app', 'v1')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(warnings).toEqual(['a layout is behind a symbolic link: links below the root are not followed']);
    await rm(outside, { recursive: true });
  });

  test('opens without what was known beside the index, if that is damaged', async () => {
    const registry = open(kind);
    await pushContent(registry, 'app', content, { tags: ['v1'] });
    await registry.close();
    const snapshots = join(dir, '.ocikit/snapshots');
    for (const name of await readdir(snapshots)) await writeFile(join(snapshots, name), '{"index":"x"}\n{"rep');
    const again = open(kind);
    expect((await again.resolveTag('app', 'v1')).digest).toBe(content.descriptor.digest);
    for (const { descriptor } of content.blobs) await again.resolveBlob('app', descriptor.digest);
    expect(warnings).toEqual(['a snapshot cannot be read: its facts are read from the manifests again']);
  });

  test('does not begin a journal in the place of one that it cannot list', async () => {
    await writeFile(join(dir, '.ocikit'), 'in the way');
    await expect(open(kind).own()).rejects.toThrow('EEXIST');
  });

  test('removes what a crash left in the middle of a write, but no upload', async () => {
    const registry = open(kind);
    await pushContent(registry, 'app', content, { tags: ['v1'] });
    const upload = await registry.startUpload('app');
    await upload.append(new Uint8Array(5));
    const copy = await killed();
    const base = kind === openLayout ? copy : join(copy, 'app');
    const left = [join(base, '.0123456789abcdef.tmp'), join(copy, '.ocikit/.0123456789abcdef.tmp')];
    for (const path of left) await writeFile(path, 'half');
    await mkdir(join(copy, '.ocikit/tmp'), { recursive: true });
    await writeFile(join(copy, '.ocikit/tmp/0123'), 'half');
    const again = open(kind, copy);
    await again.own();
    for (const path of [...left, join(copy, '.ocikit/tmp')]) await expect(stat(path)).rejects.toThrow('ENOENT');
    expect((await again.resumeUpload('app', upload.id)).size).toBe(5);
  });
});

describe('the removal of an unused manifest', () => {
  const gone = imageOf();
  const names = Array.from({ length: 6 }, (_, i) => `app-${i}`);
  const indexOf = (name: string): Promise<string> => readFile(join(dir, name, 'index.json'), 'utf8');
  const remove = async (registry: LayoutRegistry, name: string): Promise<boolean | undefined> =>
    maintenanceOf(registry)?.removeUnused(name, gone.descriptor.digest, { unusedSince: new Date(Date.now() + 1000) });

  /** Repositories with a tag and garbage, and with one more tag that is only in the journal. */
  async function withChanges(): Promise<LayoutRegistry> {
    const registry = open(openLayouts);
    for (const name of names) {
      await pushContent(registry, name, content, { tags: ['v1'] });
      await pushContent(registry, name, gone);
    }
    await registry.fold();
    await tagAll(registry, 'v2');
    return registry;
  }

  async function tagAll(registry: LayoutRegistry, tag: string): Promise<void> {
    for (const name of names) {
      await registry.pushManifest(name, content.bytes, content.mediaType, { tags: [tag] });
    }
  }

  /** A process that is started after a crash finds everything. */
  async function expectAfterCrash(tags: string[], removed: readonly string[]): Promise<void> {
    const again = open(openLayouts, await killed());
    await again.own();
    for (const name of names) {
      expect(await collect(again.tags(name))).toEqual(tags);
      const found = again.resolveManifest(name, gone.descriptor.digest).then(
        () => true,
        () => false,
      );
      expect([name, await found]).toEqual([name, !removed.includes(name)]);
    }
    await again.close();
    expect(warnings).toEqual([]);
  }

  test('writes the index of its own layout alone, and loses nothing of the others in a crash', async () => {
    const registry = await withChanges();
    const before = await Promise.all(names.map(indexOf));
    expect(await remove(registry, 'app-0')).toBe(true);
    expect(await indexOf('app-0')).not.toContain(gone.descriptor.digest);
    expect(await indexOf('app-0')).toContain('"v2"');
    expect(await Promise.all(names.slice(1).map(indexOf))).toEqual(before.slice(1));
    await expectAfterCrash(['v1', 'v2'], ['app-0']);
    await tagAll(registry, 'v3');
    expect(await Promise.all(names.slice(1, 4).map((name) => remove(registry, name)))).toEqual([true, true, true]);
    await tagAll(registry, 'v4');
    await expectAfterCrash(['v1', 'v2', 'v3', 'v4'], names.slice(0, 4));
    await registry.fold();
    expect((await readdir(join(dir, '.ocikit'))).filter((name) => name.startsWith('journal-'))).toEqual([]);
    await expectAfterCrash(['v1', 'v2', 'v3', 'v4'], names.slice(0, 4));
  });

  test('does not wait for a fold of all layouts that makes no progress', async () => {
    const registry = await withChanges();
    let letGo = (): void => undefined;
    const arrived = new Promise<void>((arrive) => {
      vi.spyOn(HistoryFiles.prototype, 'flush').mockImplementationOnce(() => {
        arrive();
        return new Promise<void>((resolve) => {
          letGo = resolve;
        });
      });
    });
    const folding = registry.fold();
    await arrived;
    await tagAll(registry, 'v3');
    for (const name of ['app-1', 'app-2']) expect(await remove(registry, name)).toBe(true);
    await tagAll(registry, 'v4');
    await expectAfterCrash(['v1', 'v2', 'v3', 'v4'], ['app-1', 'app-2']);
    letGo();
    await folding;
    // A journal still has the changes that the fold did not write.
    await expectAfterCrash(['v1', 'v2', 'v3', 'v4'], ['app-1', 'app-2']);
    await registry.fold();
    await expectAfterCrash(['v1', 'v2', 'v3', 'v4'], ['app-1', 'app-2']);
  });

  test('is not repeated by a fold of all layouts that runs already, and loses nothing in a crash', async () => {
    const registry = await withChanges();
    const last = names.at(-1) ?? '';
    const folded: string[] = [];
    let removing: Promise<boolean | undefined> | undefined;
    let isTagged = false;
    const fold = Reflect.get(Layout.prototype, 'fold');
    vi.spyOn(Layout.prototype, 'fold').mockImplementation(async function (this: Layout, beforeRename) {
      folded.push(this.directory);
      if (removing === undefined) {
        // A collection asks for the last layout while the first one is folded.
        removing = remove(registry, last);
        await pause(100);
      }
      if (folded.slice(0, -1).includes(last) && !isTagged) {
        isTagged = true;
        await tagAll(registry, 'v3');
      }
      return fold.call(this, beforeRename);
    });
    await registry.fold();
    expect(await removing).toBe(true);
    expect(isTagged).toBe(true);
    expect(folded.toSorted()).toEqual(names);
    await expectAfterCrash(['v1', 'v2', 'v3'], [last]);
    await registry.fold();
    expect((await readdir(join(dir, '.ocikit'))).filter((name) => name.startsWith('journal-'))).toEqual([]);
    await expectAfterCrash(['v1', 'v2', 'v3'], [last]);
  });

  test('writes no index if none on the disk names the manifest', async () => {
    const registry = open(openLayouts);
    for (const name of names) await pushContent(registry, name, content, { tags: ['v1', 'v2'] });
    await registry.fold();
    for (const name of names) await pushContent(registry, name, gone);
    const before = await Promise.all(names.map(indexOf));
    for (const name of names) expect(await remove(registry, name)).toBe(true);
    expect(await Promise.all(names.map(indexOf))).toEqual(before);
    await expectAfterCrash(['v1', 'v2'], names);
    // Another tool has written its entry meanwhile.
    await pushContent(registry, 'app-1', gone);
    const { mediaType, digest, size } = gone.descriptor;
    const index = JSON.parse(await indexOf('app-1')) as { manifests: unknown[] };
    index.manifests.push({ mediaType, digest, size });
    await writeFile(join(dir, 'app-1/index.json'), JSON.stringify(index));
    await remove(registry, 'app-1');
    expect(await indexOf('app-1')).not.toContain(digest);
  });

  test('reports the error of its own layout, and the others go on', async () => {
    const registry = await withChanges();
    await writeFile(join(dir, 'app-1/index.json'), '');
    const outcomes = await Promise.allSettled(names.slice(0, 3).map((name) => remove(registry, name)));
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await indexOf('app-2')).not.toContain(gone.descriptor.digest);
  });
});

describe('the names of repositories', () => {
  test('come in byte order, whatever the order of their directories, and only if they are names', async () => {
    const names = ['a', 'a-b', 'a/b', 'a/blobs', 'a/index.json', 'a/oci-layout/x', 'a0', 'blobs', 'blobs/sha256'];
    const registry = open(openLayouts);
    for (const name of names) await pushContent(registry, name, content);
    await registry.close();
    for (const stray of ['NotAName', '_a', 'a/_b']) await mkdir(join(dir, stray, 'blobs'), { recursive: true });
    const again = open(openLayouts);
    expect(await collect(again.repositories())).toEqual(names.toSorted());
    expect(await collect(again.repositories({ startAfter: 'a/b', limit: 2 }))).toEqual(['a/blobs', 'a/index.json']);
    for (const name of names)
      expect((await again.resolveManifest(name, content.descriptor.digest)).size).toBeGreaterThan(0);
  });
});
