import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';
import type { TestContext } from 'vitest';

import { emptyConfig, hexOf, newBlob, newManifest } from './content.ts';
import { pushBlob, pushManifest } from './requests.ts';
import { missingCommand, requireOf } from './requirement.ts';
import { useScratch } from './scratch.ts';
import { useServers } from './server.ts';
import { readTrace, traced } from './trace.ts';
import type { Call } from './trace.ts';

const scratch = useScratch();
const servers = useServers();

interface Pushes {
  calls: Call[];
  /** The paths of the blobs, the manifest and the journal. */
  small: string;
  blob: string;
  manifest: string;
  journal: string;
  layout: string;
}

/** Returns the system calls of a server during the push of a small blob, a large blob, and a manifest with a tag. */
async function tracePushes(context: TestContext, kind: string, durability: string): Promise<Pushes> {
  requireOf(context, missingCommand('strace', '-f', '-D', '-o', '/dev/null', 'true'));
  const root = await scratch.newDirectory();
  const file = join(await scratch.newDirectory(), 'trace');
  const flags = ['--layout', kind, '--durability', durability, '--quiet'];
  const server = await servers.start(root, { flags, through: traced(file) });
  expect((await pushBlob(server.url, 'app', emptyConfig)).status).toBe(201);
  const [blob, manifest] = [newBlob(100_000), newManifest()];
  expect((await pushBlob(server.url, 'app', blob)).status).toBe(201);
  expect((await pushManifest(server.url, 'app', manifest, '1')).status).toBe(201);
  await server.kill();
  const layout = kind === 'shared' ? root : join(root, 'app');
  const pathOf = (digest: string): string => join(layout, 'blobs', 'sha256', hexOf(digest));
  return {
    calls: readTrace(await wholeTrace(file)),
    small: pathOf(emptyConfig.digest),
    blob: pathOf(blob.digest),
    manifest: pathOf(manifest.digest),
    journal: join(root, '.ocikit', 'journal-1'),
    layout,
  };
}

// Retry: strace sometimes loses a call on a busy machine, but a wrong order is wrong each time.
describe.each(['per-repository', 'shared'])('with the layout %s', { retry: 3 }, (kind) => {
  test('a blob is synced, named, its name synced, recorded in a shared layout, and then acknowledged', async (context) => {
    const { calls, blob, journal } = await tracePushes(context, kind, 'fsync');
    const steps = [...named(calls, blob)];
    if (kind === 'shared') steps.push(...recorded(calls, journal, '"op":"blob"', steps));
    steps.push(acknowledged(calls, steps[2], 'blobs'));
    expectInOrder(steps);
  });

  test('a manifest is recorded with its bytes, named, and then acknowledged, with one sync altogether', async (context) => {
    const { calls, manifest, journal } = await tracePushes(context, kind, 'fsync');
    const steps = [...recorded(calls, journal, '"op":"manifest"', [])];
    expect(steps[0]?.text).toContain('"op":"content"');
    const [, renamed] = renaming(calls, manifest);
    steps.push(renamed, acknowledged(calls, renamed, 'manifests'));
    expectInOrder(steps);
    const during = calls.filter(
      ({ name, start, end }) => isSync(name) && start > (steps[0]?.start ?? 0) && end < (steps.at(-1)?.start ?? 0),
    );
    expect(during).toHaveLength(1);
  });

  test('a small blob is written, recorded, named, and then acknowledged', async (context) => {
    const { calls, small, journal } = await tracePushes(context, kind, 'fsync');
    const [written, renamed] = renaming(calls, small);
    const steps = [written, ...recorded(calls, journal, hexOf(emptyConfig.digest), [written]), renamed];
    steps.push(acknowledged(calls, renamed, 'blobs'));
    expectInOrder(steps);
  });

  test('the directories and files of a new layout are durable before its first blob is acknowledged', async (context) => {
    const { calls, layout, journal } = await tracePushes(context, kind, 'fsync');
    const first = acknowledged(calls, undefined, 'blobs');
    const before = calls.filter(({ end }) => end < first.start);
    // `blobs/sha256` is not checked: the journal guarantees the files in it.
    for (const dir of [layout, join(layout, 'blobs'), join(layout, '..')]) {
      if (kind === 'shared' && dir === join(layout, '..')) continue;
      expect(before, `a sync of ${dir}`).toContainEqual(expect.objectContaining({ name: 'fsync', path: dir }));
    }
    for (const name of ['index.json', 'oci-layout']) {
      const renamed = before.find((call) => call.name.startsWith('rename') && call.to === join(layout, name));
      expect(renamed, name).toBeDefined();
      const synced = before.find((call) => call.name === 'fdatasync' && call.path === renamed?.from);
      expect(synced?.end ?? Infinity).toBeLessThan(renamed?.start ?? 0);
    }
    if (kind === 'per-repository') return;
    const created = before.find(({ name, path }) => name === 'openat' && path === journal);
    const directory = before.find(
      ({ name, path, start }) => name === 'fsync' && path === join(journal, '..') && start > (created?.end ?? Infinity),
    );
    expect(directory, 'a sync of the journal’s directory').toBeDefined();
  });

  test('with --durability none no file is synced', async (context) => {
    const { calls, blob, manifest } = await tracePushes(context, kind, 'none');
    // Check that the trace has these calls at all.
    expect(calls.filter(({ to }) => to === blob || to === manifest)).toHaveLength(2);
    expect(calls.filter(({ name }) => isSync(name))).toEqual([]);
  });
});

/** Returns the steps that name a file durably. */
function named(calls: readonly Call[], path: string): Call[] {
  const [written, renamed] = renaming(calls, path);
  const synced = the(
    calls,
    'sync of the data',
    (call) => call.name === 'fdatasync' && call.path === renamed.from && call.start > written.end,
  );
  const directory = the(
    calls,
    'sync of the directory',
    (call) => call.name === 'fsync' && call.path === join(path, '..') && call.start > renamed.end,
  );
  return [written, synced, renamed, directory];
}

/** Returns the last write to a file, and the rename that named the file. */
function renaming(calls: readonly Call[], path: string): [written: Call, renamed: Call] {
  const renamed = the(calls, 'rename', (call) => call.name.startsWith('rename') && call.to === path);
  return [the(calls.toReversed(), 'last write', (call) => isWrite(call) && call.path === renamed.from), renamed];
}

/** Returns the steps that add a record to the journal after other steps. */
function recorded(calls: readonly Call[], journal: string, text: string, before: readonly Call[]): Call[] {
  const after = before.at(-1)?.end ?? 0;
  const written = the(
    calls,
    `record ${text}`,
    (call) => isWrite(call) && call.path === journal && call.text.includes(text) && call.end > after,
  );
  const synced = the(
    calls,
    'sync of the journal',
    (call) => call.name === 'fdatasync' && call.path === journal && call.start > written.end,
  );
  return [written, synced];
}

/** Returns the first 201 that is sent after the file was named. */
function acknowledged(calls: readonly Call[], renamed: Call | undefined, kind: 'blobs' | 'manifests'): Call {
  const after = renamed?.start ?? 0;
  return the(
    calls,
    '201',
    ({ text, start }) => start > after && text.startsWith('HTTP/1.1 201') && text.includes(`/${kind}/`),
  );
}

function the(calls: readonly Call[], what: string, is: (call: Call) => boolean): Call {
  const found = calls.find(is);
  if (found === undefined) throw new Error(`there is no ${what} among the system calls`);
  return found;
}

function isSync(name: string): boolean {
  return ['fsync', 'fdatasync', 'sync_file_range', 'sync'].includes(name);
}

function isWrite({ name }: Call): boolean {
  return name === 'write' || name === 'pwrite64' || name === 'writev' || name === 'pwritev';
}

/** Checks that each step ended before the next one began. */
function expectInOrder(steps: readonly Call[]): void {
  for (const [i, { start, line }] of steps.entries()) {
    const before = steps[i - 1];
    if (before !== undefined) expect(before.end, `${before.line}\nends before\n${line}`).toBeLessThan(start);
  }
}

/** Waits for strace, which still writes for a moment after its process has ended. */
async function wholeTrace(file: string): Promise<string> {
  let text = await readFile(file, 'utf8');
  for (let unchanged = 0; unchanged < 5;) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const now = await readFile(file, 'utf8');
    unchanged = now === text ? unchanged + 1 : 0;
    text = now;
  }
  return text;
}
