import { execFile } from 'node:child_process';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { digestOf } from '../../../model/index.ts';

import { hashWorkers } from './hash-worker.ts';
import type { HashedFile } from './hash-worker.ts';

let dir: string;
const followed: HashedFile[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-hash-'));
});
afterEach(async () => {
  for (const file of followed.splice(0)) file.close();
  await rm(dir, { recursive: true });
});

function follow(path: string, algorithm = 'sha256'): HashedFile {
  const file = hashWorkers.follow(path, algorithm);
  if (file === undefined) throw new Error('there are too many');
  followed.push(file);
  return file;
}

const mebibyte = 1024 * 1024;
const bytesOf = (size: number, seed = 1): Uint8Array => new Uint8Array(size).map((_, i) => (i * 31 + seed) >> 3);

describe('a file that is followed', () => {
  test.each(['sha256', 'sha512'])('has the %s of what was written while it grew', async (algorithm) => {
    const path = join(dir, 'blob');
    const all: Uint8Array[] = [bytesOf(3 * mebibyte)];
    await writeFile(path, bytesOf(3 * mebibyte));
    const file = follow(path, algorithm);
    for (let i = 0; i < 4; i++) {
      const piece = bytesOf(mebibyte + i, i);
      all.push(piece);
      await appendFile(path, piece);
      file.grew(all.reduce((sum, { length }) => sum + length, 0));
    }
    const whole = Buffer.concat(all);
    expect(await file.digest(whole.length)).toBe(digestOf(whole, algorithm));
  });

  test('is written in the other thread, between what is written here', async () => {
    const path = join(dir, 'blob');
    const begin = bytesOf(mebibyte + 5);
    await writeFile(path, begin);
    const file = follow(path);
    const [first, second] = [bytesOf(3 * mebibyte + 7, 1), bytesOf(300_000, 2)];
    expect(await file.write(first, begin.length)).toBe(first.length);
    await appendFile(path, 'a little');
    const before = begin.length + first.length + 'a little'.length;
    expect(await file.write(second, before)).toBe(second.length);
    const whole = Buffer.concat([begin, first, Buffer.from('a little'), second]);
    expect(await file.digest(whole.length)).toBe(digestOf(whole));
    expect(whole.equals(await readFile(path))).toBe(true);
  });

  test('is written from memory that both threads have, which may change when two more calls have ended', async () => {
    const path = join(dir, 'blob');
    await writeFile(path, '');
    const file = follow(path);
    const shared = [1, 2, 3].map(() => new Uint8Array(new SharedArrayBuffer(mebibyte)));
    const all: Uint8Array[] = [];
    for (let i = 0; i < 20; i++) {
      const piece = shared[i % 3]?.subarray(0, mebibyte - i * 1000) ?? new Uint8Array();
      piece.set(bytesOf(piece.length, i));
      expect(await file.write(piece, Buffer.concat(all).length)).toBe(piece.length);
      all.push(new Uint8Array(piece));
    }
    const whole = Buffer.concat(all);
    expect(await file.digest(whole.length)).toBe(digestOf(whole));
    expect(whole.equals(await readFile(path))).toBe(true);
  });

  test('fails for what was handed over before with the next call, or with its digest', async () => {
    for (const next of [
      (file: HashedFile) => file.write(new Uint8Array(new SharedArrayBuffer(5)), 0),
      (file: HashedFile) => file.write(bytesOf(5), 0),
      (file: HashedFile) => file.digest(mebibyte),
    ]) {
      const path = join(dir, 'blob');
      await writeFile(path, '');
      const file = follow(path);
      const shared = new Uint8Array(new SharedArrayBuffer(mebibyte));
      expect(await file.write(shared, 0)).toBe(mebibyte);
      // No file may be as large.
      expect(await file.write(shared, 2 ** 52)).toBe(mebibyte);
      await expect(next(file)).rejects.toMatchObject({ code: 'EFBIG', syscall: 'write' });
    }
  });

  test('that cannot be written rejects with what the system says', async () => {
    const file = follow('/dev/full');
    await expect(file.write(bytesOf(mebibyte), 0)).rejects.toMatchObject({ code: 'ENOSPC', syscall: 'write' });
    expect(await file.digest(0)).toBe(digestOf(new Uint8Array()));
  });

  test('is not written there if it is missing or no longer followed', async () => {
    expect(await follow(join(dir, 'missing')).write(bytesOf(mebibyte), 0)).toBe(0);
    const path = join(dir, 'blob');
    await writeFile(path, '');
    const left = follow(path);
    left.close();
    expect(await left.write(bytesOf(mebibyte), 0)).toBe(0);
    expect((await readFile(path)).length).toBe(0);
  });

  test('may grow after its digest was asked for', async () => {
    const path = join(dir, 'blob');
    await writeFile(path, 'one');
    const file = follow(path);
    expect(await file.digest(3)).toBe(digestOf(Buffer.from('one')));
    await appendFile(path, 'two');
    expect(await file.digest(6)).toBe(digestOf(Buffer.from('onetwo')));
  });

  test('is one of several', async () => {
    const contents = Array.from({ length: 8 }, (_, i) => bytesOf(2 * mebibyte, i));
    const digests = await Promise.all(
      contents.map(async (bytes, i) => {
        await writeFile(join(dir, `${i}`), bytes);
        return follow(join(dir, `${i}`)).digest(bytes.length);
      }),
    );
    expect(digests).toEqual(contents.map((bytes) => digestOf(bytes)));
  });

  test('has none if it is missing, shorter than was said, or no longer followed', async () => {
    const path = join(dir, 'blob');
    expect(await follow(path).digest(1)).toBeUndefined();
    await writeFile(path, 'short');
    expect(await follow(path).digest(6)).toBeUndefined();
    const closed = follow(path);
    closed.close();
    expect(await closed.digest(5)).toBeUndefined();
  });

  test('is not followed if there are very many, or for an algorithm that only the process has', () => {
    expect(hashWorkers.follow(join(dir, 'blob'), 'blake3')).toBeUndefined();
    for (let i = 0; i < 64; i++) follow(join(dir, `${i}`));
    expect(hashWorkers.follow(join(dir, 'one more'), 'sha256')).toBeUndefined();
  });
});

describe('a process that has nothing else to do', () => {
  test('does not end before the digest that it waits for is there', async () => {
    const program = `
      import { digestOf } from 'ocikit';
      import { openLayout } from 'ocikit/layout';
      const bytes = new Uint8Array(64 * 1024 * 1024);
      const layout = openLayout(${JSON.stringify(dir)}, { durability: 'none' });
      const { size } = await layout.pushBlob('a', { digest: digestOf(bytes) }, bytes);
      await layout.close();
      console.log(size);`;
    const args = ['--input-type=module', '--eval', program];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname });
    expect(stdout).toBe(`${64 * mebibyte}\n`);
  });
});
