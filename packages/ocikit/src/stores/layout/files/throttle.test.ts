import { describe, expect, test } from 'vitest';

import { Throttle } from './throttle.ts';
import type { Clock } from './throttle.ts';

/** A clock that only the test and the pauses of the throttle move. */
class TestClock implements Clock {
  #now = 1000;
  /** Milliseconds of all pauses. */
  paused = 0;

  now(): number {
    return this.#now;
  }

  async delay(milliseconds: number): Promise<void> {
    this.paused += milliseconds;
    this.pass(milliseconds);
    await Promise.resolve();
  }

  pass(milliseconds: number): void {
    this.#now += milliseconds;
  }
}

function throttled(): { clock: TestClock; throttle: Throttle } {
  const clock = new TestClock();
  return { clock, throttle: new Throttle(clock) };
}

/** Milliseconds of pauses in the work on some pieces, each of them 3 ms of work, while clients push. */
async function pausesIn({ clock, throttle }: ReturnType<typeof throttled>, count = 10): Promise<number> {
  const before = clock.paused;
  for await (const piece of throttle.withPauses(Array.from({ length: count }, (_, i) => i))) {
    clock.pass(3);
    throttle.notePush();
    expect(piece).toBeLessThan(count);
  }
  return clock.paused - before;
}

describe('work that can wait', () => {
  test('rests between its pieces during pushes, for at most 20 ms at a time', async () => {
    expect(await pausesIn(throttled())).toBe(9 * 20);
  });

  test('rests for a shorter time while a collection waits for it', async () => {
    const both = throttled();
    expect(await both.throttle.withinShare(() => pausesIn(both))).toBe(9 * 3 * 4);
  });

  test('does not rest while a caller waits for it', async () => {
    const both = throttled();
    expect(await both.throttle.atFullSpeed(() => pausesIn(both))).toBe(0);
    await expect(both.throttle.atFullSpeed(() => Promise.reject(new Error('it fails')))).rejects.toThrow('it fails');
    expect(await pausesIn(both)).toBe(9 * 20);
  });

  test('does not rest after the last piece: it may be the only one', async () => {
    const both = throttled();
    for (let i = 0; i < 10; i++) expect(await pausesIn(both, 1)).toBe(0);
  });

  test('does not rest when the last push was a while ago', async () => {
    const { clock, throttle } = throttled();
    throttle.notePush();
    await throttle.pause(20);
    expect(clock.paused).toBe(20);
    clock.pass(60);
    for (let i = 0; i < 20; i++) await throttle.pause(20);
    expect(clock.paused).toBe(20);
  });
});
