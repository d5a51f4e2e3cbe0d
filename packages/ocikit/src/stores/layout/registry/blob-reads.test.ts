import { lstatSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeEach, describe, expect, test } from 'vitest';

import { randomBlob } from '../../../testing/index.ts';
import { temporaryDirectory } from '../../../../test/temporary-directory.ts';

import { BlobReads } from './blob-reads.ts';
import type { FoundBlob } from './blob-reads.ts';

let path: string;
const warnings: string[] = [];
const warn = (message: string): void => void warnings.push(message);
beforeEach(async () => {
  path = join(await temporaryDirectory(), 'blob');
  warnings.length = 0;
});

/** Writes a file whose times are far enough apart to be remembered. */
function place(bytes: Uint8Array, minutes = 1): void {
  writeFileSync(path, bytes);
  const seconds = Date.now() / 1000 - minutes * 60;
  utimesSync(path, seconds, seconds);
}

function found(): FoundBlob {
  const stats = lstatSync(path);
  return { size: stats.size, stats };
}

function changed(bytes: Uint8Array, at: number): Uint8Array {
  const copy = new Uint8Array(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

/** Much faster than comparing every number. */
function expectSame(bytes: Uint8Array | undefined, expected: Uint8Array): void {
  expect(Buffer.compare(bytes ?? new Uint8Array(), expected)).toBe(0);
}

const wrong = { code: 'DIGEST_INVALID' };

describe.each([
  ['small', 4096],
  ['large', 200_000],
])('a %s blob', (_, size) => {
  const { bytes, descriptor } = randomBlob(size);
  const { digest } = descriptor;
  const reads = (): BlobReads => new BlobReads({ verify: true, memory: 1e6, warn });
  const read = (from: BlobReads): Promise<Uint8Array> => from.open(path, digest, found(), {}).bytes();

  test('is hashed at its first read only, for as long as its file does not change', async () => {
    const blobs = reads();
    place(bytes);
    expectSame(await read(blobs), bytes);
    expect(blobs.verified.isIntact(path, lstatSync(path))).toBe(true);
    place(changed(bytes, 10));
    // As if this file had been verified: only a read that hashes would notice.
    blobs.verified.note(path, lstatSync(path), true);
    expectSame(await read(blobs), changed(bytes, 10));
  });

  test('that is damaged before its first read ends in an error', async () => {
    const blobs = reads();
    place(changed(bytes, size - 1));
    await expect(read(blobs)).rejects.toMatchObject(wrong);
    expect(blobs.isDamaged(path, lstatSync(path))).toBe(true);
    expect(warnings).toHaveLength(1);
    place(bytes);
    expect(blobs.isDamaged(path, lstatSync(path))).toBe(false);
    expectSame(await read(blobs), bytes);
  });

  test('that is edited in place after it was read ends in an error, also with the time of writing put back', async () => {
    const blobs = reads();
    place(bytes);
    const { atime, mtime } = lstatSync(path);
    for (let i = 0; i < 3; i++) expectSame(await read(blobs), bytes);
    writeFileSync(path, changed(bytes, 0));
    utimesSync(path, atime, mtime);
    await expect(read(blobs)).rejects.toMatchObject(wrong);
    expect(blobs.isDamaged(path, lstatSync(path))).toBe(true);
  });

  test('gives no reader all bytes of a damaged file', async () => {
    const blobs = reads();
    place(changed(bytes, 0));
    const content = blobs.open(path, digest, found(), {});
    expect(content.ready?.()).toBeUndefined();
    let count = 0;
    const whole = async (): Promise<void> => {
      for await (const piece of content) count += piece.length;
    };
    await expect(whole()).rejects.toMatchObject(wrong);
    expect(count).toBeLessThan(size);
  });

  test('is read in part without being hashed', async () => {
    place(changed(bytes, 0));
    const blobs = new BlobReads({ verify: false, memory: 1e6, warn });
    const content = blobs.open(path, digest, found(), { range: { start: 0, end: 10 } });
    expectSame(await content.bytes(), changed(bytes, 0).subarray(0, 10));
  });
});

describe('memory for small blobs', () => {
  const { bytes, descriptor } = randomBlob(3000);
  const other = changed(bytes, 7);
  const reads = (memory: number): BlobReads => new BlobReads({ verify: false, memory, warn });

  test('answers while the file stays as it is', async () => {
    const blobs = reads(1e6);
    place(bytes);
    const before = found();
    expectSame(blobs.open(path, descriptor.digest, before, {}).ready?.(), bytes);
    // The look at the file came before this: the bytes come from memory.
    writeFileSync(path, other);
    expectSame(await blobs.open(path, descriptor.digest, before, {}).bytes(), bytes);
    expectSame(await blobs.open(path, descriptor.digest, found(), {}).bytes(), other);
  });

  test('is not changed by a caller that changes the bytes', async () => {
    const blobs = reads(1e6);
    place(bytes);
    for (let i = 0; i < 3; i++) blobs.open(path, descriptor.digest, found(), {}).ready?.()?.fill(0);
    expectSame(await blobs.open(path, descriptor.digest, found(), {}).bytes(), bytes);
  });

  test('is not used without a budget', async () => {
    const blobs = reads(0);
    place(bytes);
    const before = found();
    await blobs.open(path, descriptor.digest, before, {}).bytes();
    rmSync(path);
    await expect(blobs.open(path, descriptor.digest, before, {}).bytes()).rejects.toMatchObject({
      code: 'BLOB_UNKNOWN',
    });
  });

  test('gives parts of a blob', async () => {
    const blobs = reads(1e6);
    place(bytes);
    for (let i = 0; i < 2; i++) {
      const part = blobs.open(path, descriptor.digest, found(), { range: { start: 5, end: 9 } });
      expectSame(part.ready?.(), bytes.subarray(5, 9));
    }
  });
});

test('a slow reader of a damaged file does not take the file for damaged that was pushed in its place', async () => {
  const { bytes, descriptor } = randomBlob(8_000_000);
  const blobs = new BlobReads({ verify: true, memory: 0, warn });
  place(changed(bytes, 5));
  const slow = blobs.open(path, descriptor.digest, found(), {})[Symbol.asyncIterator]();
  await slow.next();
  const next = `${path} next`;
  writeFileSync(next, bytes);
  renameSync(next, path);
  const readOn = async (): Promise<void> => {
    while ((await slow.next()).done !== true);
  };
  await expect(readOn()).rejects.toMatchObject(wrong);
  expect(blobs.isDamaged(path, lstatSync(path))).toBe(false);
  expect(warnings).toEqual([]);
});
