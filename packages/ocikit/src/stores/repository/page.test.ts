import { expect, test } from 'vitest';

import { collect } from '../../model/index.ts';

import { page } from './page.ts';

const names = ['c', 'a', 'd', 'b'];

test('is in order, strictly after a name and as long as it may be', async () => {
  expect(await collect(page(names, {}))).toEqual(['a', 'b', 'c', 'd']);
  expect(await collect(page(names, { startAfter: 'b' }))).toEqual(['c', 'd']);
  expect(await collect(page(names, { startAfter: 'bb', limit: 1 }))).toEqual(['c']);
  expect(await collect(page(names, { limit: 0 }))).toEqual([]);
  expect(names).toEqual(['c', 'a', 'd', 'b']);
});

test('is in order however many names there are, each of them once', async () => {
  const many = Array.from({ length: 10_000 }, (_, i) => String((i * 7919) % 10_007).padStart(5, '0'));
  expect(await collect(page([...many, ...many.slice(0, 5000)], {}))).toEqual(many.toSorted());
});

test('takes names that are removed and added while it reads them', async () => {
  const changing = new Set(['b', 'a', 'c']);
  const read = function* (): Generator<string> {
    for (const name of changing) {
      yield name;
      if (name === 'a') {
        changing.delete('b');
        changing.add('b');
        changing.delete('c');
      }
    }
  };
  expect(await collect(page(read(), {}))).toEqual(['a', 'b']);
});

test('ends between two names when its signal is aborted', async () => {
  const controller = new AbortController();
  const reason = new Error('no longer wanted');
  const items = page(names, { signal: controller.signal });
  expect((await items.next()).value).toBe('a');
  controller.abort(reason);
  await expect(items.next()).rejects.toThrow(reason);
});

test('lets timers have their turn however many names there are', async () => {
  const many = Array.from(
    { length: 100_000 },
    (_, i) => `sha256:${((i * 7919) % 100_003).toString(16).padStart(64, '0')}`,
  );
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 1);
  const before = process.cpuUsage();
  let count = 0;
  for await (const name of page(many, {})) count += name === '' ? 0 : 1;
  const { user, system } = process.cpuUsage(before);
  clearInterval(timer);
  expect(count).toBe(many.length);
  // CPU time, as other processes may be running too.
  const millisecondsPerTurn = (user + system) / 1000 / turns;
  expect(millisecondsPerTurn).toBeLessThan(30);
});
