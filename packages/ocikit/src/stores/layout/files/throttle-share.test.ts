import type * as Timers from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { Throttle } from './throttle.ts';

/** Called at each pause with its milliseconds, after the clock has moved on by them. */
const pauses = vi.hoisted(() => ({ on: (_milliseconds: number): void => undefined }));

vi.mock('node:timers/promises', async (original) => ({
  ...(await original<typeof Timers>()),
  setTimeout: (milliseconds: number) => {
    vi.advanceTimersByTime(milliseconds);
    pauses.on(milliseconds);
    return Promise.resolve();
  },
}));

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
  pauses.on = () => undefined;
});

describe('work that a collection waits for', () => {
  /** Milliseconds of pause after a millisecond of work. */
  async function pauseOf(throttle: Throttle): Promise<number> {
    let paused = 0;
    pauses.on = (milliseconds) => {
      paused += milliseconds;
    };
    const pieces = throttle.withPauses([1, 2]);
    await pieces.next();
    vi.advanceTimersByTime(1);
    throttle.notePush();
    await pieces.next();
    return paused;
  }

  test('pauses less than other work, but does pause', async () => {
    const throttle = new Throttle();
    expect(await pauseOf(throttle)).toBe(15);
    expect(await throttle.withinShare(() => pauseOf(throttle))).toBe(4);
    expect(await throttle.withinShare(() => throttle.atFullSpeed(() => pauseOf(throttle)))).toBe(0);
    await expect(throttle.withinShare(() => Promise.reject(new Error('it fails')))).rejects.toThrow('it fails');
    expect(await pauseOf(throttle)).toBe(15);
  });

  test.each([
    { work: 100, pushing: Infinity, rest: 400 },
    { work: 60_000, pushing: Infinity, rest: 10_000 },
    { work: 1000, pushing: 200, rest: 200 },
    { work: 1000, pushing: 0, rest: 50 },
  ])('rests $rest ms after $work ms of work if clients push for $pushing ms', async ({ work, pushing, rest }) => {
    const throttle = new Throttle();
    const begun = performance.now();
    throttle.notePush();
    pauses.on = () => {
      if (performance.now() - begun < pushing) throttle.notePush();
    };
    await throttle.rest(work);
    const rested = performance.now() - begun;
    expect(rested).toBeGreaterThanOrEqual(Math.min(rest, work * 4));
    expect(rested).toBeLessThanOrEqual(rest + 100);
  });

  test('does not rest if no client pushes, or a caller needs the work at once', async () => {
    const throttle = new Throttle();
    const begun = performance.now();
    await throttle.rest(1000);
    throttle.notePush();
    await throttle.atFullSpeed(() => throttle.rest(1000));
    expect(performance.now()).toBe(begun);
  });
});
