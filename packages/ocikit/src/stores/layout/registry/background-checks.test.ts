import { writeFile } from 'node:fs/promises';
import { lstatSync } from 'node:fs';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { imageOf, pushContent, randomBlob } from '../../../testing/index.ts';
import { eventually } from '../../../../test/eventually.ts';
import { temporaryDirectory } from '../../../../test/temporary-directory.ts';

import { openLayout, openLayouts } from '../index.ts';
import { LayoutStore } from '../root/index.ts';

import { BackgroundChecks } from './background-checks.ts';
import type { BackgroundChecksPace } from './background-checks.ts';
import { BlobReads } from './blob-reads.ts';

interface Checking {
  blobs: BlobReads;
  warnings: string[];
  stop: () => Promise<void>;
}

function check(root: string, isShared: boolean, pace: BackgroundChecksPace): Checking {
  const warnings: string[] = [];
  const warn = (message: string): void => void warnings.push(message);
  const blobs = new BlobReads({ verify: true, memory: 0, warn });
  const store = new LayoutStore({ root, isShared, defaultRepository: undefined, durability: 'none', warn });
  const checks = new BackgroundChecks(store, blobs, pace);
  checks.start();
  onTestFinished(() => checks.stop());
  return { blobs, warnings, stop: () => checks.stop() };
}

test.each([
  ['a shared layout', openLayout],
  ['a layout for each repository', openLayouts],
])('the check in the background finds damaged files and remembers intact ones, in %s', async (_, open) => {
  const root = await temporaryDirectory();
  const [good, bad] = [randomBlob(300_000), randomBlob(300_000)];
  await using registry = open(root, { durability: 'none' });
  await pushContent(registry, 'team/app', imageOf({ layers: [good, bad] }), { tags: ['v1'] });
  await registry.fold();
  const isShared = open === openLayout;
  const pathOf = ({ descriptor: { digest } }: typeof good): string =>
    join(root, isShared ? '' : 'team/app', 'blobs', digest.replace(':', '/'));
  await writeFile(pathOf(bad), new Uint8Array(bad.bytes).fill(0, 1000, 2000));

  const { blobs, warnings } = check(root, isShared, { wait: 0, interval: 1, rate: 1e9 });
  await eventually(() => {
    expect(blobs.isDamaged(pathOf(bad), lstatSync(pathOf(bad)))).toBe(true);
    expect(blobs.verified.isIntact(pathOf(good), lstatSync(pathOf(good)))).toBe(true);
  });
  expect(warnings).toContain('a blob is damaged: it counts as missing until it is pushed again');
  // A repaired file counts again.
  await writeFile(pathOf(bad), bad.bytes);
  await eventually(() => expect(blobs.verified.isIntact(pathOf(bad), lstatSync(pathOf(bad)))).toBe(true));
});

test('the check in the background reads no faster than its rate, and stops in the middle of a file', async () => {
  const root = await temporaryDirectory();
  const blob = randomBlob(2_000_000);
  await using registry = openLayout(root, { durability: 'none' });
  await registry.pushBlob('app', blob.descriptor, blob.bytes);
  await registry.fold();
  const path = join(root, 'blobs', blob.descriptor.digest.replace(':', '/'));
  const { blobs, stop } = check(root, true, { wait: 0, rate: 100_000 });
  await new Promise((resolve) => setTimeout(resolve, 300));
  await stop();
  expect(blobs.verified.isIntact(path, lstatSync(path))).toBe(false);
});
