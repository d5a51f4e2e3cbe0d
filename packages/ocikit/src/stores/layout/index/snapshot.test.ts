import { renameSync, writeFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { mediaTypes } from '../../../model/index.ts';
import type { Descriptor, Digest } from '../../../model/index.ts';

import { Files } from '../files/index.ts';

import { LayoutContent } from './layout-content.ts';
import { singleNames } from './entry-names.ts';
import { readSnapshot, rewriteFolds, snapshotLines, writeSnapshot } from './snapshot.ts';
import type { SnapshotState } from './snapshot.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-snapshot-'));
});
afterEach(() => rm(dir, { recursive: true }));

const digestOfNumber = (i: number): Digest => `sha256:${i.toString(16).padStart(64, '0')}`;

function manifest(i: number, fields: Partial<Descriptor> = {}): Descriptor {
  return { mediaType: mediaTypes.imageManifest, digest: digestOfNumber(i), size: i, ...fields };
}

function newContent(): LayoutContent {
  return new LayoutContent(singleNames('app'), undefined);
}

function stateOf(sha256: string, content: LayoutContent): SnapshotState {
  return { sha256, replaced: '', content, recent: () => [] };
}

function fill(content: LayoutContent, count: number): void {
  const repository = content.repository('app');
  for (let i = 1; i <= count; i++) {
    repository.index.blobs.set(digestOfNumber(1e9 + i), { size: i, createdAt: 0, usedAt: 0 });
    const referrer = manifest(i, { artifactType: 'a/b', annotations: { text: 'x'.repeat(100) } });
    repository.putManifest(manifest(i), 0, { subject: digestOfNumber(1e9), referrer });
    repository.putManifest(manifest(2e9 + i), 0);
    repository.implicit.add(digestOfNumber(2e9 + i));
    repository.unparsed.add(digestOfNumber(2e9 + i));
  }
}

test('is not replaced by its older self with other folds, if another process has written a new one meanwhile', async () => {
  const content = newContent();
  fill(content, 10);
  const files = new Files('none');
  await writeSnapshot(dir, 'a', stateOf('old', content), files);
  const [name = ''] = await readdir(dir);
  const path = join(dir, name);
  const recent = (): [] => {
    writeFileSync(join(dir, 'new'), '{"index":"new"}\n');
    renameSync(join(dir, 'new'), path);
    return [];
  };
  await rewriteFolds(dir, 'a', { content, recent }, files);
  expect(await readFile(path, 'utf8')).toBe('{"index":"new"}\n');
  expect(await readdir(dir)).toEqual([name]);
});

test('gives back what the index has no place for', async () => {
  const content = newContent();
  fill(content, 2000);
  await writeSnapshot(dir, 'a/b', stateOf('the-sha256', content), new Files('none'));
  expect((await readdir(dir)).length).toBe(1);
  const snapshot = await readSnapshot(dir, 'a/b', 'the-sha256', () => undefined);
  const restored = newContent();
  for (let i = 1; i <= 2000; i++) restored.addEntry(manifest(i), { isParsed: true, isOwn: () => true });
  await snapshot?.restore(restored);
  const [before, after] = [content.repository('app'), restored.repository('app')];
  expect(after.index.blobs).toEqual(before.index.blobs);
  expect([...after.index.manifests.keys()].toSorted()).toEqual([...before.index.manifests.keys()].toSorted());
  expect(after.implicit).toEqual(before.implicit);
  expect(after.unparsed).toEqual(before.unparsed);
  const subject = digestOfNumber(1e9);
  expect(after.index.referrer(subject, digestOfNumber(7))).toEqual(before.index.referrer(subject, digestOfNumber(7)));
});

test('is written in lines that are bounded, with somewhere to stop wherever much is passed over', () => {
  const content = newContent();
  fill(content, 20_000);
  const { index } = content.repository('app');
  for (let i = 1; i <= 20_000; i++) index.setTag(`tag-${i}`, digestOfNumber(i));
  let [count, longest] = [0, 0];
  for (const line of snapshotLines(stateOf('the-sha256', content))) {
    longest = Math.max(longest, line.length);
    count++;
  }
  expect(longest).toBeLessThan(20_000);
  // Half of the manifests refer to nothing.
  expect(count).toBeGreaterThan(20_000);
  let entries = 0;
  for (const _ of content.entries()) entries++;
  expect(entries).toBeGreaterThan(60_000 - 1);
});

test('is of one moment in its unread manifests, whichever reader runs meanwhile', () => {
  const content = newContent();
  fill(content, 5000);
  const { implicit, unparsed, index } = content.repository('app');
  const lines = snapshotLines(stateOf('the-sha256', content));
  const text: string[] = [];
  for (const line of lines) {
    text.push(line);
    if (text.length !== 3) continue;
    // All are looked into now, and one more was found.
    unparsed.clear();
    index.putManifest({ descriptor: manifest(5), links: [], subject: undefined, referrer: undefined }, 0);
    implicit.add(digestOfNumber(5));
  }
  const found = text.join('');
  const numbers = (field: string): number =>
    found
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown[] | undefined>)
      .reduce((sum, line) => sum + (line[field]?.length ?? 0), 0);
  expect(numbers('unparsed')).toBe(5000);
  expect(numbers('implicit')).toBe(5000);
});

test('that is damaged in any line is as if there were none', async () => {
  const content = newContent();
  fill(content, 10);
  await writeSnapshot(dir, '', stateOf('x', content), new Files('none'));
  const [name = ''] = await readdir(dir);
  const text = await readFile(join(dir, name), 'utf8');
  await writeFile(join(dir, name), text.slice(0, -10));
  const warnings: string[] = [];
  expect(await readSnapshot(dir, '', 'x', (message) => warnings.push(message))).toBeUndefined();
  expect(warnings.length).toBe(1);
});
