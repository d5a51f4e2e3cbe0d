import { expect, it } from 'vitest';

import { page } from './page.ts';

const names = ['c', 'a', 'd', 'b'];

it('is in order, strictly after a name and as long as it may be', () => {
  expect([...page(names, {})]).toEqual(['a', 'b', 'c', 'd']);
  expect([...page(names, { startAfter: 'b' })]).toEqual(['c', 'd']);
  expect([...page(names, { startAfter: 'bb', limit: 1 })]).toEqual(['c']);
  expect([...page(names, { limit: 0 })]).toEqual([]);
  expect(names).toEqual(['c', 'a', 'd', 'b']);
});

it('ends between two names when its signal is aborted', () => {
  const controller = new AbortController();
  const reason = new Error('no longer wanted');
  const items = page(names, { signal: controller.signal });
  expect(items.next().value).toBe('a');
  controller.abort(reason);
  expect(() => items.next()).toThrow(reason);
});
