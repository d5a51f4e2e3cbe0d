import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { TimeSlice } from './time-slice.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('is over after 3 ms, and begins anew when timers have had their turn', async () => {
  const slice = new TimeSlice();
  vi.advanceTimersByTime(2);
  expect(slice.isOver).toBe(false);
  vi.advanceTimersByTime(1);
  expect(slice.isOver).toBe(true);
  let hadTurn = false;
  setTimeout(() => {
    hadTurn = true;
  }, 0);
  const given = slice.giveWay();
  await vi.advanceTimersByTimeAsync(1);
  await given;
  expect(hadTurn).toBe(true);
  expect(slice.isOver).toBe(false);
});
