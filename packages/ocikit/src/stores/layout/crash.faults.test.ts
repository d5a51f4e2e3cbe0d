import type * as Fs from 'node:fs';
import type * as FsPromises from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { digestOf, historyOf, isRegistryError, splitDigest } from '../../model/index.ts';
import type { Digest, Registry } from '../../model/index.ts';
import { artifactOf, blobOf, imageOf, indexOf, pushContent } from '../../testing/index.ts';
import type { TestManifest } from '../../testing/index.ts';

import { openLayout, openLayouts } from './index.ts';
import type { LayoutRegistry } from './index.ts';

/** How many more steps the machine does until it stops, which it then does for good. */
const machine = vi.hoisted(() => {
  const state = { left: Infinity, steps: 0, isTorn: false };
  return {
    state,
    step(): void {
      state.steps++;
      if (state.left-- <= 0) throw new Error('the machine has stopped');
    },
    /** True if this is the last write, of which only half is done. */
    isLastWrite: (): boolean => state.isTorn && state.left === 0,
  };
});

/** The state of the disk itself. */
const disk = vi.hoisted(() => ({
  /** The numbers of files whose bytes it has. */
  synced: new Set<number>(),
  /** Names that it may not have. */
  names: new Set<string>(),
  paths: new Map<number, string>(),
}));

type Write = (bytes: Uint8Array, from: number, length: number, at: number) => Promise<{ bytesWritten: number }>;

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof FsPromises>();
  const changing = ['rename', 'link', 'rm', 'mkdir', 'writeFile', 'truncate', 'copyFile'] as const;
  const open: typeof FsPromises.open = async (path, flags, mode) => {
    if (typeof flags === 'number' ? (flags & 3) !== 0 : flags !== 'r') machine.step();
    const handle = await real.open(path, flags, mode);
    const write = (handle.write as Write).bind(handle);
    const writeFile = handle.writeFile.bind(handle);
    const truncate = handle.truncate.bind(handle);
    // The copy of the disk that is looked at has everything that was written: waiting for the disk would prove nothing.
    const sync = async (): Promise<void> => {
      machine.step();
      disk.synced.add((await handle.stat()).ino);
    };
    Object.assign(handle, {
      datasync: sync,
      sync,
      truncate: async (length: number) => {
        machine.step();
        await truncate(length);
      },
      write: async (bytes: Uint8Array, from: number, length: number, at: number) => {
        if (machine.isLastWrite()) await write(bytes, from, length >> 1, at);
        machine.step();
        return write(bytes, from, length, at);
      },
      writeFile: async (bytes: Uint8Array) => {
        if (machine.isLastWrite()) await writeFile(bytes.subarray(0, bytes.length >> 1));
        machine.step();
        await writeFile(bytes);
      },
    });
    return handle;
  };
  const wrapped = Object.fromEntries(
    changing.map((name) => [
      name,
      async (...args: never[]): Promise<unknown> => {
        machine.step();
        return (real[name] as (...args: never[]) => Promise<unknown>)(...args);
      },
    ]),
  );
  return { ...real, ...wrapped, open };
});

vi.mock('node:fs', async (original) => {
  const real = await original<typeof Fs>();
  const rmSync: typeof Fs.rmSync = (...args) => {
    machine.step();
    real.rmSync(...args);
  };
  const renameSync: typeof Fs.renameSync = (...args) => {
    machine.step();
    real.renameSync(...args);
    disk.names.add(String(args[1]));
  };
  const openSync: typeof Fs.openSync = (path, flags, mode) => {
    if (typeof flags === 'number' ? (flags & 3) !== 0 : flags !== 'r') machine.step();
    const file = real.openSync(path, flags, mode);
    disk.paths.set(file, String(path));
    return file;
  };
  const writeSync = (file: number, bytes: Uint8Array, from: number, length: number, at?: number): number => {
    if (machine.isLastWrite()) real.writeSync(file, bytes, from, length >> 1, at);
    machine.step();
    return real.writeSync(file, bytes, from, length, at);
  };
  const sync = (file: number, done: (error?: unknown) => void): void => {
    try {
      machine.step();
      disk.synced.add(real.fstatSync(file).ino);
      for (const name of disk.names) if (dirname(name) === disk.paths.get(file)) disk.names.delete(name);
      done();
    } catch (error) {
      done(error);
    }
  };
  return { ...real, renameSync, rmSync, openSync, writeSync, fsync: sync, fdatasync: sync };
});

const real = await vi.importActual<typeof FsPromises>('node:fs/promises');

const first = imageOf();
const second = imageOf();
const child = imageOf();
const list = indexOf([child]);
const signature = artifactOf({ artifactType: 'application/vnd.example.signature', subject: first.descriptor });
const loose = blobOf('a blob that nothing names');
const all = [first, second, child, list, signature];
const blobs = [loose, ...all.flatMap((manifest) => manifest.blobs)].map(({ descriptor }) => descriptor.digest);
const repositories = ['a', 'a/b'];

/** Acknowledged content from before. */
async function begin(registry: LayoutRegistry): Promise<void> {
  await pushContent(registry, 'a', first, { tags: ['first', 'latest'] });
  await registry.pushBlob('a', loose.descriptor, loose.bytes);
}

async function pushBlobsOf(registry: Registry, repository: string, manifest: TestManifest): Promise<void> {
  for (const { descriptor, bytes } of manifest.blobs) await registry.pushBlob(repository, descriptor, bytes);
}

interface Change {
  name: string;
  /** Is acknowledged before the change. */
  before?: (registry: LayoutRegistry) => Promise<void>;
  change: (registry: LayoutRegistry) => Promise<unknown>;
}

const [layer] = first.blobs.slice(-1);
const changes: Change[] = [
  { name: 'a blob is pushed', change: (r) => r.pushBlob('a/b', loose.descriptor, loose.bytes) },
  {
    name: 'a manifest is pushed with two tags',
    before: (r) => pushBlobsOf(r, 'a', second),
    change: (r) => r.pushManifest('a', second.bytes, second.mediaType, { tags: ['latest', 'second'] }),
  },
  {
    name: 'a manifest with a subject is pushed',
    before: (r) => pushBlobsOf(r, 'a', signature),
    change: (r) => r.pushManifest('a', signature.bytes, signature.mediaType),
  },
  {
    name: 'what an index names is pushed again, and once more',
    before: async (r) => {
      await pushContent(r, 'a', second, { tags: ['second'] });
      await r.fold();
    },
    change: async (r) => {
      await r.pushManifest('a', second.bytes, second.mediaType, { tags: ['again'] });
      await r.pushManifest('a', second.bytes, second.mediaType, { tags: ['again'] });
    },
  },
  { name: 'a tag is deleted', change: (r) => r.deleteTag('a', 'latest') },
  {
    name: 'a manifest is deleted that the index names',
    before: (r) => r.fold(),
    change: (r) => r.deleteManifest('a', first.descriptor.digest),
  },
  { name: 'a blob is deleted', change: (r) => r.deleteBlob('a', loose.descriptor.digest) },
  {
    name: 'a blob is mounted',
    change: (r) => r.mountBlob('a', 'a/b', layer?.descriptor.digest ?? loose.descriptor.digest),
  },
  {
    name: 'the journal is folded',
    before: async (r) => {
      await pushContent(r, 'a/b', list, { tags: ['list'] });
      await r.fold();
      await pushContent(r, 'a', second, { tags: ['latest'] });
      await r.deleteTag('a', 'first');
    },
    change: (r) => r.fold(),
  },
  {
    name: 'it is folded while something is pushed',
    before: (r) => pushBlobsOf(r, 'a', second),
    change: async (r) => {
      const settled = await Promise.allSettled([
        r.fold(),
        r.pushManifest('a', second.bytes, second.mediaType, { tags: ['latest'] }),
      ]);
      for (const one of settled) if (one.status === 'rejected') throw one.reason;
    },
  },
];

const layouts = [
  ['a shared layout', openLayout],
  ['a layout for each repository', openLayouts],
] as const;

let root: string;
beforeEach(async () => {
  root = await real.mkdtemp(join(tmpdir(), 'ocikit-crash-'));
});
afterEach(async () => {
  Object.assign(machine.state, { left: Infinity, isTorn: false });
  await real.rm(root, { recursive: true });
});

/** Does to a copy what a disk may do to blobs that it was not told to keep: some are empty, some zeros, some gone. */
async function losePower(dir: string, copy: string): Promise<void> {
  for (const path of await filesBelow(dir, (name) => /^[0-9a-f]{64}$/.test(name))) {
    const { ino, size } = await real.stat(path);
    const copied = join(copy, relative(dir, path));
    if (disk.names.has(path)) await real.rm(copied);
    else if (!disk.synced.has(ino)) await real.writeFile(copied, Buffer.alloc(ino % 2 === 0 ? size : 0));
  }
}

/** The disk has everything that is there. */
async function keepAll(dir: string): Promise<void> {
  for (const path of await filesBelow(dir, () => true)) disk.synced.add((await real.stat(path)).ino);
}

const ends = ['the end of the process', 'the loss of power'] as const;

for (const [kind, open] of layouts) {
  describe.each(ends)(`of ${kind}: %s`, (end) => {
    test.each(changes)('leaves all or nothing at whatever step it comes when $name', async ({ before, change }) => {
      const opened: LayoutRegistry[] = [];
      const prepare = async (dir: string): Promise<LayoutRegistry> => {
        const registry = open(dir);
        opened.push(registry);
        await begin(registry);
        await before?.(registry);
        return registry;
      };

      const whole = await prepare(join(root, 'whole'));
      const stateBefore = await observe(whole);
      machine.state.steps = 0;
      await change(whole);
      const { steps } = machine.state;
      const stateAfter = await observe(whole);
      expect(steps).toBeGreaterThan(0);

      for (let left = 0; left < steps; left++) {
        const dir = join(root, `after ${left}`);
        const registry = await prepare(dir);
        Object.assign(machine.state, { left, isTorn: left % 2 === 0 });
        const wasAcknowledged = await change(registry).then(
          () => true,
          () => false,
        );
        // The machine stands still while its disk is looked at.
        const copy = `${dir} copy`;
        await real.cp(dir, copy, { recursive: true });
        await real.rm(join(copy, '.ocikit/lock'), { force: true });
        if (end === 'the loss of power') await losePower(dir, copy);
        Object.assign(machine.state, { left: Infinity, isTorn: false });
        await assertLayouts(copy);
        const warnings: string[] = [];
        const reader = open(copy, { durability: 'none', onWarning: (message) => warnings.push(message) });
        const seen = await observe(reader);
        expect([stateBefore, stateAfter]).toContainEqual(seen);
        if (wasAcknowledged) expect(seen).toEqual(stateAfter);

        expect(warnings).toEqual([]);
        // The rest goes the same way wherever it crashed, nearly: not each time, for the time that it takes.
        if (left % 4 !== 1) continue;
        // Becoming the one that writes changes nothing, and what is left of the crash goes.
        await keepAll(copy);
        await reader.own();
        expect(await observe(reader)).toEqual(seen);
        if (end === 'the loss of power') {
          // Recovery keeps old promises, even if the new process makes none.
          const later = `${dir} later`;
          await real.cp(copy, later, { recursive: true });
          await real.rm(join(later, '.ocikit/lock'), { force: true });
          await losePower(copy, later);
          const last = open(later, { durability: 'none' });
          expect(await observe(last)).toEqual(seen);
          await last.close();
        }
        await reader.close();
        const again = open(copy, { durability: 'none', onWarning: (message) => warnings.push(message) });
        expect(await observe(again)).toEqual(seen);
        await assertLayouts(copy);
        expect(warnings).toEqual([]);
        await change(again).catch((error: unknown) => {
          // It may have happened.
          if (!isRegistryError(error, 'BLOB_UNKNOWN', 'MANIFEST_UNKNOWN')) throw error;
        });
        expect(await observe(again)).toEqual(stateAfter);
        await again.close();
        expect(await filesBelow(copy, (name) => name.endsWith('.tmp') || name.startsWith('journal-'))).toEqual([]);
      }
      for (const registry of opened) await registry.close().catch(() => undefined);
    });

    test('while what an earlier one left is being folded loses nothing', async () => {
      const registry = open(join(root, 'first'));
      await begin(registry);
      await pushContent(registry, 'a/b', list, { tags: ['list'] });
      const state = await observe(registry);
      // From here on it is dead: it must not fold while its files are copied.
      machine.state.left = 0;
      await registry.close().catch(() => undefined);
      let isDone = false;
      for (let left = 0; !isDone; left += 2) {
        const dir = join(root, `after ${left}`);
        await real.cp(join(root, 'first'), dir, { recursive: true });
        await real.rm(join(dir, '.ocikit/lock'), { force: true });
        machine.state.left = left;
        const crashed = open(dir);
        isDone = await crashed.own().then(
          () => true,
          () => false,
        );
        const copy = `${dir} copy`;
        await real.cp(dir, copy, { recursive: true });
        await real.rm(join(copy, '.ocikit/lock'), { force: true });
        machine.state.left = Infinity;
        const warnings: string[] = [];
        const again = open(copy, { onWarning: (message) => warnings.push(message) });
        await again.own();
        expect(await observe(again)).toEqual(state);
        expect(warnings).toEqual([]);
        await again.close();
        await crashed.close();
      }
    });
  });
}

/** Everything that can be seen of what these tests push. */
async function observe(registry: Registry): Promise<unknown> {
  const seen: Record<string, unknown> = {};
  for (const repository of repositories) {
    const tags: [string, string][] = [];
    try {
      for await (const tag of registry.tags(repository)) {
        const { descriptor, bytes } = await registry.getTag(repository, tag);
        expect(digestOf(bytes)).toBe(descriptor.digest);
        tags.push([tag, descriptor.digest]);
      }
    } catch (error) {
      if (!isRegistryError(error, 'NAME_UNKNOWN')) throw error;
    }
    const manifests: Digest[] = [];
    const referrers: Digest[] = [];
    for (const { descriptor } of all) {
      if (await isThere(registry.getManifest(repository, descriptor.digest))) manifests.push(descriptor.digest);
      for await (const referrer of registry.referrers(repository, descriptor.digest)) referrers.push(referrer.digest);
    }
    const there: Digest[] = [];
    for (const digest of blobs) {
      const blob = await registry.getBlob(repository, digest).catch(() => undefined);
      if (blob === undefined) continue;
      expect(digestOf(await blob.bytes())).toBe(digest);
      there.push(digest);
    }
    const moves: string[] = [];
    for await (const { tag, digest, previous } of historyOf(registry)?.moves(repository) ?? []) {
      moves.push(`${tag}: ${previous} -> ${digest}`);
    }
    seen[repository] = { tags, manifests, referrers, blobs: there, moves };
  }
  return seen;
}

async function isThere(promise: Promise<unknown>): Promise<boolean> {
  try {
    await promise;
    return true;
  } catch (error) {
    if (isRegistryError(error, 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN')) return false;
    throw error;
  }
}

async function filesBelow(dir: string, isOne: (name: string) => boolean): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await real.readdir(dir, { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && isOne(entry.name)) found.push(join(entry.parentPath, entry.name));
  }
  return found;
}

/** Every index is one, and what it names is there. Image specification, "Image Layout". */
async function assertLayouts(base: string): Promise<void> {
  for (const path of await filesBelow(base, (name) => name === 'index.json')) {
    const dir = join(path, '..');
    const marker = JSON.parse(await real.readFile(join(dir, 'oci-layout'), 'utf8')) as unknown;
    expect(marker).toEqual({ imageLayoutVersion: '1.0.0' });
    const index = JSON.parse(await real.readFile(path, 'utf8')) as { manifests: { digest: Digest; size: number }[] };
    for (const { digest, size } of index.manifests) {
      const { algorithm, encoded } = splitDigest(digest);
      const bytes = await real.readFile(join(dir, 'blobs', algorithm, encoded)).catch(() => undefined);
      // A manifest whose deletion was in the journal already may have no file any more.
      if (bytes === undefined && digest === first.descriptor.digest) continue;
      expect(bytes?.length).toBe(size);
      expect(digestOf(bytes ?? new Uint8Array())).toBe(digest);
    }
  }
}
