import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { splitDigest } from '../../model/index.ts';
import { blobOf, emptyJson, imageOf, pushContent } from '../../testing/index.ts';

import { Files } from './files/index.ts';
import { openLayout, openLayouts } from './index.ts';
import type { LayoutRegistry } from './index.ts';

let dir: string;
const opened: LayoutRegistry[] = [];
const warnings: string[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-folding-'));
  // Time stands still for the rest that is waited for, and for nothing else.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(async () => {
  vi.useRealTimers();
  for (const registry of opened.splice(0)) await registry.close().catch(() => undefined);
  warnings.splice(0);
  await rm(dir, { recursive: true });
});

/** After a fold that took long, the next one waits longer. */
const longestWait = 30_000;
const smallestFold = 4 * 1024 * 1024;
const content = imageOf({ config: emptyJson(), layers: [blobOf('a layer')] });
const other = imageOf();

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe.each([
  ['a shared layout', openLayout],
  ['a layout for each repository', openLayouts],
] as const)('the journal of %s', (_name, kind) => {
  const base = (): string => (kind === openLayout ? dir : join(dir, 'app'));
  const indexPath = (): string => join(base(), 'index.json');

  function open(path = dir): LayoutRegistry {
    const registry = kind(path, { durability: 'none', onWarning: (message) => warnings.push(message) });
    opened.push(registry);
    return registry;
  }

  async function journals(): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    for (const name of await readdir(join(dir, '.ocikit'))) {
      if (!name.startsWith('journal-')) continue;
      // One that has just been removed has no size.
      const stats = await stat(join(dir, '.ocikit', name)).catch(() => undefined);
      if (stats !== undefined) found.set(name, stats.size);
    }
    return found;
  }

  /** The answer when only the layout is left, without ocikit's own files. */
  async function tagsOfIndexAlone(): Promise<string[]> {
    const copy = join(dir, '.ocikit', 'copy');
    await rm(copy, { recursive: true, force: true });
    const target = kind === openLayout ? copy : join(copy, 'app');
    await mkdir(target, { recursive: true });
    for (const name of ['index.json', 'oci-layout', 'blobs']) {
      await cp(join(base(), name), join(target, name), { recursive: true });
    }
    const registry = open(copy);
    const tags = await collect(registry.tags('app'));
    for (const tag of tags.slice(0, 3)) await registry.getTag('app', tag);
    return tags;
  }

  /** A fold that has begun comes to its end; one that has not begun has plenty of time to begin. */
  async function turns(isDone: () => Promise<boolean> = () => Promise.resolve(false)): Promise<void> {
    for (let turn = 0; turn < 300; turn++) {
      if (await isDone()) return;
      await nextTurn();
      // Not a timer that stands still: what is waited for is the disk.
      await stat(dir);
    }
  }

  async function untilFolded(): Promise<void> {
    const until = performance.now() + 30_000;
    while ((await journals()).size > 0 && performance.now() < until) await nextTurn();
    expect(await journals()).toEqual(new Map());
  }

  describe('is folded two seconds after the last push of a burst', () => {
    test('and not before, so that the index says everything and the journal is gone', async () => {
      const registry = open();
      await pushContent(registry, 'app', content, { tags: ['v1', 'v2'] });
      await pushContent(registry, 'app', other);
      const before = await readFile(indexPath(), 'utf8');
      await vi.advanceTimersByTimeAsync(1999);
      await turns();
      expect(await readFile(indexPath(), 'utf8')).toBe(before);
      expect([...(await journals()).keys()]).toEqual(['journal-1']);

      await vi.advanceTimersByTimeAsync(1);
      await untilFolded();
      expect(await tagsOfIndexAlone()).toEqual(['v1', 'v2']);
      const index = await readFile(indexPath(), 'utf8');
      expect(index).toContain(other.descriptor.digest);
      // Nothing of it had to wait for the end.
      await registry.close();
      expect(await readFile(indexPath(), 'utf8')).toBe(index);
      expect(warnings).toEqual([]);
    });

    test('counted from the last change', async () => {
      const registry = open();
      await pushContent(registry, 'app', content, { tags: ['v1'] });
      await vi.advanceTimersByTimeAsync(1500);
      await registry.pushManifest('app', content.bytes, content.mediaType, { tags: ['v2'] });
      await vi.advanceTimersByTimeAsync(1500);
      await registry.deleteTag('app', 'v1');
      await vi.advanceTimersByTimeAsync(1999);
      await turns();
      // It is the first still: nothing has been folded in between.
      expect([...(await journals()).keys()]).toEqual(['journal-1']);
      await vi.advanceTimersByTimeAsync(1);
      await untilFolded();
      expect(await tagsOfIndexAlone()).toEqual(['v2']);
    });

    test('again and again, and what comes between is in a new journal', async () => {
      const registry = open();
      const tags: string[] = [];
      for (const tag of ['v1', 'v2', 'v3']) {
        await pushContent(registry, 'app', content, { tags: [tag] });
        tags.push(tag);
        expect((await journals()).size).toBe(1);
        await vi.advanceTimersByTimeAsync(longestWait);
        await untilFolded();
        expect(await tagsOfIndexAlone()).toEqual(tags);
      }
      expect(warnings).toEqual([]);
    });

    test('also if the last rest brought an error, as soon as something changes', async () => {
      const registry = open();
      await pushContent(registry, 'app', content, { tags: ['v1'] });
      const snapshots = join(dir, '.ocikit/snapshots');
      await writeFile(snapshots, 'in the way');
      await vi.advanceTimersByTimeAsync(longestWait);
      await turns(() => Promise.resolve(warnings.length > 0));
      expect(warnings).toEqual(['the index could not be written']);
      await rm(snapshots);
      await registry.pushManifest('app', content.bytes, content.mediaType, { tags: ['v2'] });
      await vi.advanceTimersByTimeAsync(longestWait);
      await untilFolded();
      expect(await tagsOfIndexAlone()).toEqual(['v1', 'v2']);
    });

    test('but only after half a minute if its index is large', async () => {
      const registry = open();
      await pushContent(registry, 'app', content);
      const tags = Array.from({ length: 6000 }, (_, i) => `t${i}`);
      await registry.pushManifest('app', content.bytes, content.mediaType, { tags });
      await registry.fold();
      await registry.pushManifest('app', content.bytes, content.mediaType, { tags: ['last'] });
      await vi.advanceTimersByTimeAsync(29_999);
      await turns();
      expect((await journals()).size).toBe(1);
      await vi.advanceTimersByTimeAsync(1);
      await untilFolded();
      expect(await readFile(indexPath(), 'utf8')).toMatch(/[:"]last"/);
    });

    test('and at the latest after half a minute while clients push without a pause', async () => {
      const registry = open();
      await pushContent(registry, 'app', content, { tags: ['first'] });
      const clock = vi.spyOn(performance, 'now');
      try {
        clock.mockReturnValue(performance.now() + 29_500);
        await registry.pushManifest('app', content.bytes, content.mediaType, { tags: ['late'] });
      } finally {
        clock.mockRestore();
      }
      await vi.advanceTimersByTimeAsync(600);
      await untilFolded();
      expect(await tagsOfIndexAlone()).toEqual(['first', 'late']);
    });

    test('unless it was closed: then nothing waits any more', async () => {
      const registry = open();
      await pushContent(registry, 'app', content, { tags: ['v1'] });
      expect(vi.getTimerCount()).toBe(1);
      await registry.close();
      expect(vi.getTimerCount()).toBe(0);
      await expect(stat(join(dir, '.ocikit/lock'))).rejects.toThrow('ENOENT');
    });
  });

  test('says of what is pushed while an index gets its name that it extends the new one', async () => {
    const registry = open();
    await pushContent(registry, 'app', content, { tags: ['a'] });
    let pushed: Promise<unknown> | undefined;
    const makeVisible = vi.spyOn(Files.prototype, 'syncDirectory').mockImplementation(async (path) => {
      // Nothing is synchronised without durability.
      if (path !== base() || pushed !== undefined || !/[:"]a"/.test(await readFile(indexPath(), 'utf8'))) return;
      pushed = registry.pushManifest('app', content.bytes, content.mediaType, { tags: ['b'] });
      await pushed;
    });
    try {
      await registry.fold();
    } finally {
      makeVisible.mockRestore();
    }
    expect(await pushed).toBeDefined();
    // As it would be left by the end of the process.
    const copy = await mkdtemp(join(tmpdir(), 'ocikit-folding-copy-'));
    try {
      await cp(dir, copy, { recursive: true });
      await rm(join(copy, '.ocikit/lock'));
      const again = open(copy);
      expect(await collect(again.tags('app'))).toEqual(['a', 'b']);
      await again.own();
      expect(warnings).toEqual([]);
      await again.close();
    } finally {
      await rm(copy, { recursive: true });
    }
  });

  describe('is folded without any rest', () => {
    /** Sets long tags until so many bytes have been written to the first journal, or it is being folded. */
    async function growTo(registry: LayoutRegistry, bytes: number, tags: string[]): Promise<void> {
      for (;;) {
        const sizes = await journals();
        if (sizes.size !== 1 || (sizes.get('journal-1') ?? bytes) >= bytes) return;
        // About 370 bytes each, so that a push has at most 37,000.
        const names = Array.from({ length: 100 }, (_, i) => `tag-${tags.length + i}-`.padEnd(128, 'x'));
        await registry.pushManifest('app', content.bytes, content.mediaType, { tags: names });
        tags.push(...names);
      }
    }

    /** The last push may have come when the fold had begun. */
    async function expectFolded(tags: number): Promise<void> {
      const until = performance.now() + 30_000;
      while ((await journals()).has('journal-1') && performance.now() < until) await nextTurn();
      const rest = [...(await journals()).values()].reduce((sum, size) => sum + size, 0);
      expect(rest).toBeLessThan(40_000);
      expect((await tagsOfIndexAlone()).length).toBeGreaterThanOrEqual(tags - (rest === 0 ? 0 : 100));
      await vi.advanceTimersByTimeAsync(30_000);
      await untilFolded();
      expect((await tagsOfIndexAlone()).length).toBe(tags);
    }

    test('when it is larger than four mebibytes, and not before', async () => {
      const registry = open();
      await pushContent(registry, 'app', content);
      const before = await readFile(indexPath(), 'utf8');
      const tags: string[] = [];
      await growTo(registry, smallestFold - 60_000, tags);
      await turns();
      expect(await readFile(indexPath(), 'utf8')).toBe(before);
      expect([...(await journals()).keys()]).toEqual(['journal-1']);

      await growTo(registry, smallestFold + 1, tags);
      await expectFolded(tags.length);
      expect(warnings).toEqual([]);
    });

    test('when it is larger than a quarter of a large index, and not before', { timeout: 180_000 }, async () => {
      const count = 110_000;
      const { mediaType, digest, size } = content.descriptor;
      const entries = Array.from({ length: count }, (_, i) => {
        const tag = `old-${i}`.padEnd(16, 'x');
        const name = kind === openLayout ? `app:${tag}` : tag;
        return { mediaType, digest, size, annotations: { 'org.opencontainers.image.ref.name': name } };
      });
      for (const { descriptor, bytes } of [content, ...content.blobs]) {
        const { algorithm, encoded } = splitDigest(descriptor.digest);
        const path = join(base(), 'blobs', algorithm, encoded);
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, bytes);
      }
      await writeFile(join(base(), 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
      await writeFile(indexPath(), JSON.stringify({ schemaVersion: 2, manifests: entries }));
      const quarter = (await stat(indexPath())).size / 4;
      expect(quarter).toBeGreaterThan(1.1 * smallestFold);

      const registry = open();
      const before = await readFile(indexPath(), 'utf8');
      const tags: string[] = [];
      await registry.pushManifest('app', content.bytes, content.mediaType, { tags: ['new'] });
      await growTo(registry, 1.05 * smallestFold, tags);
      await turns();
      expect((await readFile(indexPath(), 'utf8')) === before).toBe(true);
      expect([...(await journals()).keys()]).toEqual(['journal-1']);

      await growTo(registry, quarter + 1, tags);
      await expectFolded(count + tags.length + 1);
      expect(warnings).toEqual([]);
    });
  });
});
