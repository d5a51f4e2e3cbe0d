import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { collect, maintenanceOf } from '../../model/index.ts';
import { imageOf, pushContent, randomBlob } from '../../testing/index.ts';
import { check, collectGarbage } from '../../upkeep/index.ts';

import { openLayouts } from './index.ts';
import type { LayoutRegistry } from './index.ts';

let dir: string;
let root: string;
const opened: LayoutRegistry[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-bad-'));
  root = join(dir, 'root');
});
afterEach(async () => {
  for (const registry of opened.splice(0)) await registry.close().catch(() => undefined);
  await rm(dir, { recursive: true });
});

function open(at = root, warnings: string[] = []): LayoutRegistry {
  const registry = openLayouts(at, { durability: 'none', onWarning: (message) => warnings.push(message) });
  opened.push(registry);
  return registry;
}

const [first, second, third] = [imageOf(), imageOf(), imageOf()];

async function problemsOf(registry: LayoutRegistry): Promise<string[]> {
  const problems = maintenanceOf(registry)?.problems?.();
  return problems === undefined ? [] : collect(problems);
}

/** A root as a crash leaves it: the last pushes are in its journal only. */
async function crashed(): Promise<string> {
  const registry = open();
  await pushContent(registry, 'bad', first, { tags: ['v1'] });
  await pushContent(registry, 'good', first, { tags: ['v1'] });
  await registry.fold();
  await pushContent(registry, 'bad', second, { tags: ['v1', 'v2'] });
  await pushContent(registry, 'good', second, { tags: ['v1'] });
  const copy = join(dir, 'copy');
  await cp(root, copy, { recursive: true });
  await rm(join(copy, '.ocikit', 'lock'));
  return copy;
}

const unreadable = { code: 'UNAVAILABLE', message: expect.stringContaining('index.json cannot be read') as string };

describe('a repository whose index is empty', () => {
  test('does not keep others from being served after a crash, and loses nothing until it is repaired', async () => {
    const copy = await crashed();
    const index = join(copy, 'bad', 'index.json');
    const before = await readFile(index);
    await truncate(index);
    for (const tag of ['one', 'two']) {
      const warnings: string[] = [];
      const registry = open(copy, warnings);
      await registry.own();
      expect(warnings).toEqual(['a repository cannot be read: its last changes stay in the journal until it can']);
      expect((await registry.resolveTag('good', 'v1')).digest).toBe(second.descriptor.digest);
      await expect(registry.resolveTag('bad', 'v1')).rejects.toMatchObject(unreadable);
      expect(await collect(registry.repositories())).toEqual(['bad', 'good']);
      await pushContent(registry, 'good', third, { tags: [tag] });
      await registry.deleteTag('good', 'v1');
      await registry.fold();
      await pushContent(registry, 'good', second, { tags: ['v1'] });
      await registry.close();
    }
    // Other tools see the good repository as it is.
    expect(await readFile(join(copy, 'good', 'index.json'), 'utf8')).toContain('two');
    await writeFile(index, before);
    const registry = open(copy);
    expect((await registry.resolveTag('bad', 'v2')).digest).toBe(second.descriptor.digest);
    await registry.own();
    for (const name of ['bad', 'good']) {
      expect((await registry.resolveTag(name, 'v1')).digest).toBe(second.descriptor.digest);
    }
    expect((await registry.resolveTag('bad', 'v2')).digest).toBe(second.descriptor.digest);
    expect(await collect(registry.tags('good'))).toEqual(['one', 'two', 'v1']);
    await registry.close();
    expect((await readdir(join(copy, '.ocikit'))).filter((name) => name.startsWith('journal-'))).toEqual([]);
  });

  test('can be repaired while its root is served', async () => {
    const copy = await crashed();
    const index = join(copy, 'bad', 'index.json');
    const before = await readFile(index);
    await truncate(index);
    const registry = open(copy);
    await registry.own();
    await expect(registry.resolveTag('bad', 'v1')).rejects.toMatchObject(unreadable);
    await writeFile(index, before);
    expect((await registry.resolveTag('bad', 'v2')).digest).toBe(second.descriptor.digest);
    await pushContent(registry, 'bad', third, { tags: ['v3'] });
    await registry.close();
    expect((await readdir(join(copy, '.ocikit'))).filter((name) => name.startsWith('journal-'))).toEqual([]);
    const after = open(copy);
    expect(await collect(after.tags('bad'))).toEqual(['v1', 'v2', 'v3']);
    expect((await after.resolveTag('bad', 'v1')).digest).toBe(second.descriptor.digest);
  });

  test('does not keep the indexes of others from being written, nor their garbage from going', async () => {
    const registry = open();
    await pushContent(registry, 'bad', first, { tags: ['v1'] });
    await pushContent(registry, 'good', first, { tags: ['v1'] });
    await pushContent(registry, 'good', second);
    const index = join(root, 'bad', 'index.json');
    const before = await readFile(index);
    await truncate(index);
    await new Promise((resolve) => setTimeout(resolve, 10));
    const report = await collectGarbage(registry, { gracePeriod: 0 });
    expect(report).toMatchObject({ repositories: 2, manifests: { count: 1 } });
    expect(await readFile(join(root, 'good', 'index.json'), 'utf8')).toContain('v1');
    await expect(registry.fold()).rejects.toMatchObject(unreadable);
    expect((await registry.resolveTag('bad', 'v1')).digest).toBe(first.descriptor.digest);
    await writeFile(index, before);
    await registry.fold();
    expect(await readFile(index, 'utf8')).toContain('v1');
  });

  test.each(['bad/index.json', 'bad'])('is a finding, and is reported by a collection: %s', async (damaged) => {
    {
      const registry = open();
      for (const name of ['bad', 'good']) await pushContent(registry, name, imageOf(), { tags: ['v1'] });
      await pushContent(registry, 'good', first);
      await registry.close();
    }
    if (damaged === 'bad') {
      await rm(join(root, 'bad', 'index.json'));
      // Root may list any directory, but no user may list a file.
      await mkdir(join(root, 'bad', 'index.json'));
    } else {
      await truncate(join(root, damaged));
    }
    const registry = open();
    const findings = await collect(check(registry, { gracePeriod: 0 }));
    expect(findings[0]).toMatchObject({ kind: 'unreadable', repository: 'bad', digest: undefined });
    expect(findings[0]?.reason).toContain(join(root, 'bad', 'index.json'));
    expect(findings.slice(1).map(({ kind, repository }) => `${kind} ${repository}`)).toEqual(
      Array.from({ length: 3 }, () => 'unreachable good'),
    );
    await registry.own();
    await new Promise((resolve) => setTimeout(resolve, 10));
    const failed: unknown[] = [];
    const report = await collectGarbage(registry, {
      gracePeriod: 0,
      onEvent: (event) => {
        if (event.type === 'failed') failed.push(event.repository, event.reason);
      },
    });
    expect(failed).toEqual(['bad', expect.stringContaining('index.json')]);
    expect(report).toMatchObject({ repositories: 2, skipped: 1, manifests: { count: 1 }, blobs: { count: 2 } });
  });
});

test('damaged journals are problems, and so are the files that their records were saved in', async () => {
  const copy = await crashed();
  const journal = (await readdir(join(copy, '.ocikit'))).find((name) => name.startsWith('journal-')) ?? '';
  const path = join(copy, '.ocikit', journal);
  const bytes = await readFile(path);
  bytes.fill(7, 30, 60);
  await writeFile(path, bytes);
  const registry = open(copy);
  expect(await problemsOf(registry)).toEqual([expect.stringContaining(`${path} has damaged records`)]);
  const findings = await collect(check(registry));
  expect(findings).toContainEqual(expect.objectContaining({ kind: 'unreadable', repository: undefined }));
  await registry.own();
  const saved = (await readdir(join(copy, '.ocikit'))).find((name) => name.startsWith('quarantine-')) ?? '';
  expect(await problemsOf(registry)).toEqual([expect.stringContaining(join(copy, '.ocikit', saved))]);
});

test('a journal of other bytes throughout is a problem, and one of zeros after a loss of power is none', async () => {
  await mkdir(join(root, '.ocikit'), { recursive: true });
  await writeFile(join(root, '.ocikit', 'journal-1'), randomBlob(500).bytes);
  await writeFile(join(root, '.ocikit', 'journal-2'), Buffer.alloc(500));
  const problems = await problemsOf(open());
  expect(problems).toEqual([expect.stringContaining('journal-1 has damaged records')]);
  const warnings: string[] = [];
  await open(root, warnings).own();
  expect(warnings).toContain('a journal has damaged records: they were saved in a file and skipped');
});

test('an unreadable directory is a finding, and others are listed', async () => {
  const registry = open();
  for (const name of ['bad', 'good']) await pushContent(registry, name, imageOf(), { tags: ['v1'] });
  await registry.close();
  await chmod(join(root, 'bad'), 0o000);
  // The user root may read everything.
  const isRoot = process.geteuid?.() === 0;
  const own = join(root, '.ocikit');
  const below = (await readdir(own, { recursive: true })).map((path) => join(own, path));
  if (isRoot) for (const path of [dir, root, own, ...below]) await chmod(path, 0o755);
  if (isRoot) process.seteuid?.(65_534);
  try {
    const other = open();
    expect(await collect(other.repositories())).toEqual(['bad', 'good']);
    expect(await collect(check(other))).toEqual([expect.objectContaining({ kind: 'unreadable', repository: 'bad' })]);
  } finally {
    if (isRoot) process.seteuid?.(0);
    await chmod(join(root, 'bad'), 0o755);
  }
});
