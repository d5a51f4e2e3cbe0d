import { mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { describeRoot, readRoot, restoreRoot } from '../../../test/directory-format/root-files.ts';
import type { RootFiles } from '../../../test/directory-format/root-files.ts';
import {
  expected,
  journalled,
  moves,
  subject,
  uploadedBytes,
  used,
  writeRoot,
} from '../../../test/directory-format/write-root.ts';
import { collect, historyOf, maintenanceOf } from '../../model/index.ts';
import type { History, Maintenance, Registry } from '../../model/index.ts';

import { openLayout, openLayouts } from './index.ts';
import type { LayoutRegistry, LayoutsOptions } from './index.ts';

interface Root {
  /** The id of the upload that is not finished. */
  upload: string;
  /** As a process left it that was killed. */
  running: RootFiles;
  /** As a process left it that ended cleanly. */
  closed: RootFiles;
}

async function readRoots(name: string): Promise<Record<'shared' | 'separate', Root>> {
  const path = join(import.meta.dirname, '../../../test/directory-format', name);
  return JSON.parse(await readFile(path, 'utf8')) as Record<'shared' | 'separate', Root>;
}

const written = await readRoots('roots.json');
/** The roots that this version writes for the same changes. */
const current = await readRoots('roots-2.json');

let dir: string;
const opened: LayoutRegistry[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-'));
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((registry) => registry.close()));
  await rm(dir, { recursive: true, force: true });
});

function upkeepOf(registry: Registry): Maintenance & History {
  const [maintenance, history] = [maintenanceOf(registry), historyOf(registry)];
  if (maintenance === undefined || history === undefined) throw new Error('it has no maintenance, or no history');
  return { ...maintenance, ...history };
}

async function expectEverything(registry: LayoutRegistry): Promise<void> {
  expect(await collect(registry.repositories())).toEqual(Object.keys(expected));
  for (const [repository, { tags, manifests, blobs, referrers }] of Object.entries(expected)) {
    expect(await collect(registry.tags(repository))).toEqual(Object.keys(tags).toSorted());
    for (const [tag, digest] of Object.entries(tags)) {
      expect((await registry.resolveTag(repository, tag)).digest).toBe(digest);
    }
    for (const { descriptor, bytes } of manifests) {
      expect(await registry.getManifest(repository, descriptor.digest)).toEqual({ descriptor, bytes });
    }
    for (const { descriptor, bytes } of blobs) {
      const content = await registry.getBlob(repository, descriptor.digest);
      expect(await content.bytes()).toEqual(bytes);
    }
    const stored = await collect(upkeepOf(registry).blobs(repository));
    expect(stored.map(({ descriptor }) => descriptor.digest).toSorted()).toEqual(
      blobs.map(({ descriptor }) => descriptor.digest).toSorted(),
    );
    const found = await collect(registry.referrers(repository, subject));
    expect(found.map(({ digest }) => digest)).toEqual(referrers);
  }
  const history = await collect(upkeepOf(registry).moves('library/app'));
  expect(history.map(({ at: _at, ...move }) => move)).toEqual(moves);
  for (const { at } of history) expect(at.getUTCFullYear()).toBe(2024);
}

describe.each([
  ['a shared layout', 'shared', openLayout],
  ['a layout per repository', 'separate', openLayouts],
] as const)('the directory of version 0.1.0 with %s', (_name, kind, openRoot) => {
  const warnings: string[] = [];
  const open = (options: LayoutsOptions = {}): LayoutRegistry => {
    const registry = openRoot(dir, { ...options, onWarning: (message) => warnings.push(message) });
    opened.push(registry);
    return registry;
  };
  const fileOf = (files: RootFiles, digest: string): string => {
    const path = Object.keys(files).find((one) => one.endsWith(`blobs/${digest.replace(':', '/')}`));
    return join(dir, path ?? '');
  };

  afterEach(() => {
    expect(warnings.splice(0)).toEqual([]);
  });

  test.each(['running', 'closed'] as const)(
    'has all its content for a reader, left by a process that was %s',
    async (state) => {
      await restoreRoot(written[kind][state], dir);
      await expectEverything(open());
    },
  );

  test.each(['running', 'closed'] as const)(
    'has all its content for a writer, left by a process that was %s',
    async (state) => {
      await restoreRoot(written[kind][state], dir);
      const first = open();
      await first.own();
      await expectEverything(first);
      await first.close();
      await expectEverything(open());
    },
  );

  test('has the bytes of a small file whose journal alone is durable', async () => {
    await restoreRoot(written[kind].running, dir);
    await writeFile(fileOf(written[kind].running, journalled), '');
    const registry = open();
    await expectEverything(registry);
    await registry.own();
    await expectEverything(registry);
  });

  test('lets its upload be resumed', async () => {
    await restoreRoot(written[kind].closed, dir);
    const upload = await open({ uploadExpiry: Infinity }).resumeUpload('library/app', written[kind].upload);
    expect(upload.size).toBe(uploadedBytes.length);
    await upload.cancel();
  });

  test('says when its content was last used', async () => {
    await restoreRoot(written[kind].closed, dir);
    const old = new Date('2020-01-01');
    await utimes(fileOf(written[kind].closed, used), old, old);
    const registry = open();
    await registry.own();
    const stored = await collect(upkeepOf(registry).blobs('library/app'));
    expect(stored.find(({ descriptor }) => descriptor.digest === used)?.usedAt.getUTCFullYear()).toBe(2024);
  });

  test('has the format that this version writes', async () => {
    const registry = open();
    await writeRoot(registry);
    expect(describeRoot(await readRoot(dir))).toEqual(describeRoot(current[kind].running));
    await registry.close();
    expect(describeRoot(await readRoot(dir))).toEqual(describeRoot(current[kind].closed));
  });
});
