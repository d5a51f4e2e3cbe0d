import { setTimeout as pause } from 'node:timers/promises';

import { expect, test } from 'vitest';

import { collect } from '../../model/index.ts';

import { mapAhead } from './map-ahead.ts';

test('results come in the order of the items, with no more items taken and worked on than allowed', async () => {
  let [asked, working, most] = [0, 0, 0];
  const items = function* (): Generator<number> {
    for (; asked < 20;) yield asked++;
  };
  const results: number[] = [];
  const work = async (item: number): Promise<number> => {
    most = Math.max(most, ++working);
    await pause(item % 3);
    working--;
    return item * 2;
  };
  for await (const result of mapAhead(items(), 4, work)) {
    results.push(result);
    expect(asked - results.length).toBeLessThan(4);
  }
  expect(results).toEqual(Array.from({ length: 20 }, (_, i) => i * 2));
  expect(most).toBe(4);
});

test('the sequence fails when one item does, after all work that has started has ended', async () => {
  let ended = 0;
  const work = async (item: number): Promise<number> => {
    await pause(item === 1 ? 1 : 20);
    ended++;
    if (item === 1) throw new Error('the second one');
    return item;
  };
  await expect(collect(mapAhead([0, 1, 2, 3, 4, 5], 3, work))).rejects.toThrow('the second one');
  expect(ended).toBeGreaterThanOrEqual(3);
  const before = ended;
  await pause(40);
  expect(ended).toBe(before);
});

test('ending the iteration early ends the sequence of items too', async () => {
  let isOver = false;
  const items = async function* (): AsyncGenerator<number> {
    try {
      for (let i = 0; ; i++) yield i;
    } finally {
      isOver = true;
    }
  };
  for await (const result of mapAhead(items(), 2, (item) => Promise.resolve(item))) if (result === 3) break;
  expect(isOver).toBe(true);
});
