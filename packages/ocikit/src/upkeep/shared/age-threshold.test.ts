import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { ageThreshold } from './age-threshold.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

test('is so long before the beginning, however long it takes', () => {
  const threshold = ageThreshold(1000);
  expect(threshold().getTime()).toBe(998_999);
  vi.advanceTimersByTime(5000);
  expect(threshold().getTime()).toBe(998_999);
});

test('a clock that is set back makes nothing old that was used since the beginning', () => {
  const threshold = ageThreshold(1000);
  vi.advanceTimersByTime(100);
  vi.setSystemTime(500_000);
  // By that clock, the beginning was 100 ms ago.
  expect(threshold().getTime()).toBe(498_899);
  vi.advanceTimersByTime(100);
  expect(threshold().getTime()).toBe(498_899);
});

test('a clock that is set forward makes nothing old either', () => {
  const threshold = ageThreshold(1000);
  vi.setSystemTime(9_000_000);
  expect(threshold().getTime()).toBe(998_999);
});

test('what is used in the millisecond in which it begins is not old, if no grace is given', () => {
  expect(ageThreshold(0)().getTime()).toBeLessThan(Date.now());
});
