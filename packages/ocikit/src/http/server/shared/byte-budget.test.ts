import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { ByteBudget } from './index.ts';
import type { Collected } from './index.ts';

class Body implements Collected {
  readonly announced: number;
  stalled = 0;
  error: unknown;

  constructor(announced: number) {
    this.announced = announced;
  }

  stalledFor(): number {
    return this.stalled;
  }

  fail(error: unknown): void {
    this.error = error;
  }
}

async function settled(promise: Promise<void> | undefined): Promise<boolean> {
  let is = promise === undefined;
  promise?.then(
    () => (is = true),
    () => (is = true),
  );
  for (let i = 0; i < 10; i++) await Promise.resolve();
  return is;
}

describe('ByteBudget', () => {
  let budget: ByteBudget;
  beforeEach(() => {
    vi.useFakeTimers();
    budget = new ByteBudget(200);
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('is charged with the bytes that arrive, and not with those that stalled bodies announce', async () => {
    const bodies = Array.from({ length: 20 }, () => new Body(80));
    for (const body of bodies) {
      const held = budget.hold(body);
      expect(await settled(held.begin())).toBe(true);
      await held.add(1);
      body.stalled = 1000;
    }
    expect(budget.used).toBe(20);
    expect(await settled(budget.hold(new Body(80)).begin())).toBe(true);
  });

  test('lets a body wait while others that are arriving will need the room', async () => {
    const first = budget.hold(new Body(80));
    await first.begin();
    const second = budget.hold(new Body(80));
    const begun = second.begin();
    expect(await settled(begun)).toBe(false);
    await first.add(80);
    first.release();
    expect(await settled(begun)).toBe(true);
    expect(budget.used).toBe(0);
  });

  test('ends a stalled body once another one needs its memory, the largest first', async () => {
    const bodies = [new Body(10), new Body(60), new Body(20)];
    const all = [];
    for (const body of bodies) {
      const held = budget.hold(body);
      await held.begin();
      await held.add(body.announced);
      body.stalled = 5000;
      all.push(held);
    }
    const next = budget.hold(new Body(30));
    const begun = next.begin();
    expect(await settled(begun)).toBe(false);
    vi.advanceTimersByTime(250);
    expect(bodies.map(({ error }) => error)).toEqual([
      undefined,
      expect.objectContaining({ code: 'REQUEST_TIMEOUT' }),
      undefined,
    ]);
    all[1]?.release();
    expect(await settled(begun)).toBe(true);
  });

  test('ends a body that stalls for long with much memory, although no other one needs it', async () => {
    const body = new Body(90);
    const held = budget.hold(body);
    await held.begin();
    await held.add(90);
    body.stalled = 14_000;
    vi.advanceTimersByTime(250);
    expect(body.error).toBeUndefined();
    body.stalled = 15_000;
    vi.advanceTimersByTime(250);
    expect(body.error).toMatchObject({ code: 'REQUEST_TIMEOUT' });
  });

  test('rejects with TOOMANYREQUESTS after 10 s without room', async () => {
    const held = budget.hold(new Body(100));
    await held.begin();
    const waiting = budget.hold(new Body(100)).begin();
    const outcome = expect(waiting).rejects.toMatchObject({ code: 'TOOMANYREQUESTS', retryAfter: 5 });
    await vi.advanceTimersByTimeAsync(10_000);
    await outcome;
    held.release();
    expect(await settled(budget.hold(new Body(100)).begin())).toBe(true);
  });

  test('always lets the oldest body go on, even if it is larger than the budget', async () => {
    const [one, two] = [budget.hold(new Body(1000)), budget.hold(new Body(50))];
    await one.begin();
    await one.add(60);
    const begun = two.begin();
    expect(await settled(begun)).toBe(false);
    expect(one.add(940)).toBeUndefined();
    expect(budget.isScarce).toBe(true);
    one.release();
    await begun;
    expect(budget.used).toBe(0);
  });

  test('forgets a body that is released while it waits', async () => {
    const one = budget.hold(new Body(100));
    await one.begin();
    const two = budget.hold(new Body(100));
    const never = two.begin();
    two.release();
    one.release();
    expect(await settled(never)).toBe(false);
    expect(await settled(budget.hold(new Body(100)).begin())).toBe(true);
  });

  test('counts bytes on their way to a store, which never wait', () => {
    budget.charge(500);
    expect([budget.used, budget.isScarce]).toEqual([500, true]);
    budget.release(500);
    expect([budget.used, budget.isScarce]).toEqual([0, false]);
  });
});
