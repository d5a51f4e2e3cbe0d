import { describe, expect, test } from 'vitest';

import { RecentlyUsed } from './recently-used.ts';

describe('a map within a budget', () => {
  test('never holds more than its budget', () => {
    const map = new RecentlyUsed<number>(1000);
    for (let i = 0; i < 500; i++) map.set(`${i}`, i, 100);
    const kept = Array.from({ length: 500 }, (_, i) => map.get(`${i}`)).filter((value) => value !== undefined);
    expect(kept.length).toBeGreaterThanOrEqual(5);
    expect(kept.length).toBeLessThanOrEqual(10);
    expect(kept).toContain(499);
  });

  test('keeps a value that is used while others come', () => {
    const map = new RecentlyUsed<number>(10);
    map.set('used', 1);
    map.set('unused', 2);
    for (let i = 0; i < 100; i++) {
      map.set(`${i}`, i);
      expect(map.get('used')).toBe(1);
    }
    expect(map.get('unused')).toBeUndefined();
  });

  test('counts a value that is set again once', () => {
    const map = new RecentlyUsed<string>(10);
    map.set('other', 'x');
    for (let i = 0; i < 100; i++) map.set('same', `${i}`, 2);
    expect(map.get('same')).toBe('99');
    expect(map.get('other')).toBe('x');
  });

  test('keeps no value that would take more than half of it, nor the one that it replaces', () => {
    const map = new RecentlyUsed<string>(10);
    map.set('a', 'small');
    map.set('a', 'large', 6);
    expect(map.get('a')).toBeUndefined();
    const none = new RecentlyUsed<string>(0);
    none.set('a', 'x');
    expect(none.get('a')).toBeUndefined();
  });

  test('forgets what is deleted, in both generations', () => {
    const map = new RecentlyUsed<number>(4);
    for (const name of ['a', 'b', 'c']) map.set(name, 1);
    for (const name of ['a', 'b', 'c', 'd']) map.delete(name);
    for (const name of ['a', 'b', 'c']) expect(map.get(name)).toBeUndefined();
  });
});
