import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { makeCommandImage } from './images.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ocikit-bench-test-'));
});
afterEach(() => rm(directory, { recursive: true }));

const sha256 = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

test('an image has a layer that tar unpacks, and blobs that are what its manifest says', async () => {
  const size = 1024 * 1024 + 700;
  const { tar, blobs, manifest } = await makeCommandImage(join(directory, 'image'), size, 7);
  const { stdout } = await promisify(execFile)('tar', ['--list', '--verbose', '--file', tar]);
  expect(stdout).toMatch(new RegExp(`^-rw-r--r-- \\S+ +${size} .* data\n$`));

  const { layers, config } = JSON.parse(manifest) as Record<'layers' | 'config', unknown>;
  expect(blobs.map(({ digest, size: bytes }) => ({ digest, size: bytes }))).toMatchObject([
    ...(layers as { digest: string; size: number }[]).map(({ digest, size: bytes }) => ({ digest, size: bytes })),
    { digest: (config as { digest: string }).digest },
  ]);
  for (const { file, digest, size: bytes } of blobs) {
    const found = await readFile(file);
    expect([sha256(found), found.length]).toEqual([digest, bytes]);
  }
});

test('images of different seeds share no layer', async () => {
  const [one, two] = await Promise.all([
    makeCommandImage(join(directory, 'one'), 1000, 1),
    makeCommandImage(join(directory, 'two'), 1000, 2),
  ]);
  expect(one.blobs[0]?.digest).not.toBe(two.blobs[0]?.digest);
});
