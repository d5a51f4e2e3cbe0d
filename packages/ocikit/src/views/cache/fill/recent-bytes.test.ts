import { describe, expect, test } from 'vitest';

import { RecentBytes } from './recent-bytes.ts';

const mebibyte = 1024 * 1024;

describe('the last bytes of a download', () => {
  test('are found by their position, up to the end of their piece', () => {
    const recent = new RecentBytes();
    recent.add(100, new Uint8Array([1, 2, 3]));
    recent.add(103, new Uint8Array([4, 5]));
    expect(recent.from(100, 1000)).toEqual(new Uint8Array([1, 2, 3]));
    expect(recent.from(101, 102)).toEqual(new Uint8Array([2]));
    expect(recent.from(104, 1000)).toEqual(new Uint8Array([5]));
    for (const missing of [0, 99, 105]) expect(recent.from(missing, 1000)).toBeUndefined();
    expect(recent.from(101, 101)).toBeUndefined();
    recent.clear();
    expect(recent.from(100, 1000)).toBeUndefined();
  });

  test('are bounded for one download, and for all together', () => {
    const all = Array.from({ length: 20 }, () => new RecentBytes());
    const kept = (one: RecentBytes): number =>
      Array.from({ length: 30 }, (_, i) => one.from(i * mebibyte, 30 * mebibyte)).filter((bytes) => bytes).length;
    for (const one of all) for (let i = 0; i < 30; i++) one.add(i * mebibyte, new Uint8Array(mebibyte));
    const counts = all.map(kept);
    expect(Math.max(...counts)).toBe(4);
    expect(counts.reduce((sum, count) => sum + count)).toBe(32);
    for (const one of all) one.clear();
    all[19]?.add(0, new Uint8Array(mebibyte));
    expect(all.map(kept).filter((count) => count > 0)).toEqual([1]);
    all[19]?.clear();
  });
});
