import { expect, test } from 'vitest';

import { rotated } from './run.ts';

test.each([
  [0, ['a', 'b', 'c', 'd', 'e', 'f']],
  [1, ['c', 'd', 'e', 'f', 'a', 'b']],
  [2, ['e', 'f', 'a', 'b', 'c', 'd']],
])('round %i of three starts with a system of another third', (round, order) => {
  expect(rotated(['a', 'b', 'c', 'd', 'e', 'f'], round, 3)).toEqual(order);
});

test('with as many rounds as systems, each system is the first one once', () => {
  const firsts = [0, 1, 2, 3].map((round) => rotated(['a', 'b', 'c', 'd'], round, 4)[0]);
  expect(firsts).toEqual(['a', 'b', 'c', 'd']);
});

test('with more rounds than systems, no system is left out', () => {
  for (let round = 0; round < 7; round += 1) {
    expect(rotated(['a', 'b'], round, 7).toSorted()).toEqual(['a', 'b']);
  }
});
