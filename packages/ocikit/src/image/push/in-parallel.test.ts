import { setTimeout as delay } from 'node:timers/promises';

import { expect, test } from 'vitest';

import { inParallel } from './in-parallel.ts';

test('as many tasks run at a time as allowed, and one for each item', async () => {
  for (const concurrency of [1, 3, 100, Number.POSITIVE_INFINITY]) {
    const items = Array.from({ length: 10 }, (_, i) => i);
    const done: number[] = [];
    let running = 0;
    let most = 0;
    await inParallel(items, { concurrency, signal: undefined }, async (item) => {
      most = Math.max(most, ++running);
      await delay(item % 3);
      running--;
      done.push(item);
    });
    expect(done.toSorted((a, b) => a - b)).toEqual(items);
    expect(most).toBe(Math.min(concurrency, items.length));
  }
  await inParallel([], { concurrency: 1, signal: undefined }, () => Promise.reject(new Error('there is none')));
});

test('the first error aborts the others, and is thrown when no task runs any more', async () => {
  let running = 0;
  const begun: number[] = [];
  const failing = inParallel([0, 1, 2, 3, 4], { concurrency: 3, signal: undefined }, async (item, signal) => {
    begun.push(item);
    running++;
    try {
      if (item === 1) throw new Error('the first one');
      await delay(60_000, undefined, { signal });
    } finally {
      running--;
    }
  });
  await expect(failing).rejects.toThrow('the first one');
  expect([running, begun]).toEqual([0, [0, 1, 2]]);
});

test('the signal ends all tasks', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  for (const items of [[0], [0, 1, 2]]) {
    await expect(
      inParallel(items, { concurrency: 2, signal: AbortSignal.abort(reason) }, () => Promise.resolve()),
    ).rejects.toBe(reason);
  }
  const waiting = inParallel([0, 1, 2], { concurrency: 2, signal: controller.signal }, async (_item, signal) => {
    await delay(60_000, undefined, { signal }).catch(() => signal?.throwIfAborted());
  });
  controller.abort(reason);
  await expect(waiting).rejects.toBe(reason);
});

test.each([0, -1, Number.NaN])('a concurrency of %d is refused', async (concurrency) => {
  await expect(inParallel([1], { concurrency, signal: undefined }, () => Promise.resolve())).rejects.toThrow(TypeError);
});

test('each item has a signal of its own, as Node warns of many listeners to one', async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error): number => warnings.push(warning);
  process.on('warning', onWarning);
  try {
    const { signal } = new AbortController();
    await inParallel([0, 1, 2, 3], { concurrency: 4, signal }, async (_item, own) => {
      for (let i = 0; i < 4; i++) own?.addEventListener('abort', () => undefined);
      await delay(1);
    });
    await delay(20);
    expect(warnings).toEqual([]);
  } finally {
    process.off('warning', onWarning);
  }
});
