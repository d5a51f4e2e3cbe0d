import { expect, test } from 'vitest';

import { collect, digestOf } from '../../model/index.ts';

import { MemoryHistory } from './history.ts';

const digests = Array.from({ length: 25 }, (_, i) => digestOf(new Uint8Array([i])));

test('when there are very many moves, the oldest are forgotten', async () => {
  const moves = new MemoryHistory(20);
  for (const [i, digest] of digests.entries()) moves.note('app', 'latest', { previous: digests[i - 1], digest });
  const found = await collect(moves.moves('app'));
  expect(found.length).toBeLessThanOrEqual(20);
  expect(found.length).toBeGreaterThanOrEqual(18);
  expect(found.map(({ digest }) => digest)).toEqual(digests.slice(-found.length).toReversed());
});

test('what is made while moves are read changes nothing of what is read', async () => {
  const moves = new MemoryHistory(20);
  for (const [i, digest] of digests.slice(0, 20).entries()) moves.note('app', `v${i}`, { previous: undefined, digest });
  const read: string[] = [];
  for await (const { tag } of moves.moves('app')) {
    read.push(tag);
    moves.note('app', 'other', { previous: undefined, digest: digests[0] });
    moves.note('app', 'other', { previous: digests[0], digest: undefined });
  }
  expect(read).toEqual(Array.from({ length: 20 }, (_, i) => `v${19 - i}`));
});
