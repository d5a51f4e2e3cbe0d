import { expect, test } from 'vitest';

import { BufferPool } from './buffer-pool.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

test('a few readers of large content get large buffers, more readers get smaller ones, and very many get small ones', () => {
  const pool = new BufferPool();
  const sizes = Array.from({ length: 50 }, () => pool.take(GiB).length);
  expect(sizes).toEqual([
    ...Array.from({ length: 8 }, () => 2 * MiB),
    ...Array.from({ length: 32 }, () => 512 * KiB),
    ...Array.from({ length: 10 }, () => 64 * KiB),
  ]);
});

test('a reader gets no buffer of the larger size if its content fits into one of the smaller size', () => {
  const pool = new BufferPool();
  expect([1, 64 * KiB].map((wanted) => pool.take(wanted).length)).toEqual([1, 64 * KiB]);
  expect([65 * KiB, 512 * KiB].map((wanted) => pool.take(wanted).length)).toEqual([512 * KiB, 512 * KiB]);
  expect(pool.take(513 * KiB).length).toBe(2 * MiB);
});

test('a buffer that was given back is used again, and a dropped one is not', () => {
  const pool = new BufferPool();
  const [kept, dropped] = [pool.take(GiB), pool.take(GiB)];
  pool.giveBack(kept);
  pool.drop(dropped);
  const taken = [pool.take(GiB), pool.take(GiB), pool.take(GiB)];
  expect(taken).toContain(kept);
  expect(taken).not.toContain(dropped);
});

test('large buffers replace the idle smaller ones of a burst, and at most 32 MiB are kept', () => {
  const pool = new BufferPool();
  const medium = Array.from({ length: 64 }, () => pool.take(512 * KiB));
  expect(pool.take(GiB).length).toBe(64 * KiB);
  for (const buffer of medium) pool.giveBack(buffer);
  const large = Array.from({ length: 8 }, () => pool.take(GiB));
  expect(large.map(({ length }) => length)).toEqual(large.map(() => 2 * MiB));
  for (const buffer of large) pool.giveBack(buffer);

  const again = Array.from({ length: 8 }, () => pool.take(GiB));
  expect(again.filter((buffer) => large.includes(buffer))).toHaveLength(8);
  const kept = Array.from({ length: 32 }, () => pool.take(512 * KiB)).filter((buffer) => medium.includes(buffer));
  expect(kept).toHaveLength(32);
});
