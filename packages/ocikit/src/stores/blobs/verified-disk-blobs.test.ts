import { mkdir, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { beforeEach, describe, expect, test } from 'vitest';

import { maintenanceOf, splitDigest } from '../../model/index.ts';
import type { Digest, Registry } from '../../model/index.ts';
import { randomBlob } from '../../testing/index.ts';
import { temporaryDirectory } from '../../../test/temporary-directory.ts';

import { createMemoryRegistry } from '../memory/index.ts';

import { diskBlobs } from './disk-blobs.ts';

const blob = randomBlob(600_000);
const { digest } = blob.descriptor;
const damaged = new Uint8Array(blob.bytes).fill(0, 300_000, 300_001).fill(1, 599_999);

let dir: string;
let registry: Registry;
beforeEach(async () => {
  dir = join(await temporaryDirectory(), 'blobs');
  registry = createMemoryRegistry({ blobs: diskBlobs(dir, { verifyOnRead: true }) });
});

const pathOf = (of: Digest): string => join(dir, splitDigest(of).algorithm, splitDigest(of).encoded);
const unknown = { code: 'BLOB_UNKNOWN' };

async function place(bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(pathOf(digest)), { recursive: true });
  await writeFile(pathOf(digest), bytes);
}

describe('a damaged file of the right size', () => {
  test('counts as missing, so that a push repairs it', async () => {
    await registry.pushBlob('app', blob.descriptor, blob.bytes);
    expect((await registry.resolveBlob('app', digest)).size).toBe(600_000);
    await place(damaged);
    await expect(registry.resolveBlob('app', digest)).rejects.toMatchObject(unknown);
    await expect(registry.getBlob('app', digest)).rejects.toMatchObject(unknown);
    await registry.pushBlob('app', blob.descriptor, blob.bytes);
    expect((await registry.resolveBlob('app', digest)).size).toBe(600_000);
    expect(await (await registry.getBlob('app', digest)).bytes()).toEqual(blob.bytes);
  });

  test('of another program counts as missing from the first HEAD on, and an intact one does not', async () => {
    await place(damaged);
    const looks = Array.from({ length: 5 }, () => registry.resolveBlob('app', digest));
    for (const look of looks) await expect(look).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
    await place(blob.bytes);
    expect((await registry.resolveBlob('app', digest)).size).toBe(600_000);
  });

  test('is noticed by a reader before its end, and by a check', async () => {
    await registry.pushBlob('app', blob.descriptor, blob.bytes);
    await place(damaged);
    expect(await maintenanceOf(registry)?.verify('app', digest)).toBe('corrupt');
    await registry.pushBlob('app', blob.descriptor, blob.bytes);
    const { atime, mtime } = await stat(pathOf(digest));
    await place(damaged);
    await utimes(pathOf(digest), atime, mtime);
    const content = await registry.getBlob('app', digest);
    await expect(content.bytes()).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
    await expect(registry.resolveBlob('app', digest)).rejects.toMatchObject(unknown);
  });
});

test('a range of an intact file is read as before', async () => {
  await place(blob.bytes);
  const content = await registry.getBlob('app', digest, { range: { start: 10, end: 20 } });
  expect(await content.bytes()).toEqual(blob.bytes.subarray(10, 20));
});
