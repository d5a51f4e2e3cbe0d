import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { ageThreshold } from './age-threshold.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

test('the threshold stays the same, however long the run takes', () => {
  const threshold = ageThreshold(1000);
  expect(threshold().getTime()).toBe(998_999);
  vi.advanceTimersByTime(5000);
  expect(threshold().getTime()).toBe(998_999);
});

test('a clock that is set back does not make content old that was used during the run', () => {
  const threshold = ageThreshold(1000);
  vi.advanceTimersByTime(100);
  vi.setSystemTime(500_000);
  // By that clock, the beginning was 100 ms ago.
  expect(threshold().getTime()).toBe(498_899);
  vi.advanceTimersByTime(100);
  expect(threshold().getTime()).toBe(498_899);
});

test('a clock that is set forward does not make content old either', () => {
  const threshold = ageThreshold(1000);
  vi.setSystemTime(9_000_000);
  expect(threshold().getTime()).toBe(998_999);
});

test('content that is used in the millisecond of the start is not old, even without a grace period', () => {
  expect(ageThreshold(0)().getTime()).toBeLessThan(Date.now());
});
