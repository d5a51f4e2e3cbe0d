import { expect, test } from 'vitest';

import { inSlices, TimeSlice } from './slices.ts';

test('gives all texts, in pieces that are bounded, and takes no more of them than a piece needs', async () => {
  const line = `${'x'.repeat(99)}\n`;
  const count = 50_000;
  let taken = 0;
  const lines = function* (): Generator<string> {
    for (; taken < count; taken++) {
      yield line;
      yield '';
    }
  };
  let length = 0;
  for await (const piece of inSlices(lines())) {
    expect(piece.length).toBeLessThan(70_000);
    length += piece.length;
    expect(taken * line.length - length).toBeLessThan(70_000);
  }
  expect(length).toBe(count * line.length);
});

test('gives no piece for no text', async () => {
  const pieces: Buffer[] = [];
  for await (const piece of inSlices(['', ''])) pieces.push(piece);
  expect(pieces).toEqual([]);
});

test('lets others have their turn while texts are empty', async () => {
  const seen = { turns: 0 };
  const others = setInterval(() => seen.turns++, 0);
  const work = function* (): Generator<string> {
    for (let i = 0; seen.turns < 3 && i < 1e8; i++) yield '';
  };
  for await (const piece of inSlices(work())) expect(piece).toBeUndefined();
  clearInterval(others);
  expect(seen.turns).toBe(3);
});

test('is over once its time is used up, and begins anew when others have had their turn', async () => {
  let now = 1000;
  const slice = new TimeSlice(() => now);
  expect(slice.isOver).toBe(false);
  now += 2.9;
  expect(slice.isOver).toBe(false);
  now += 0.1;
  expect(slice.isOver).toBe(true);
  let hadTurn = false;
  setImmediate(() => {
    hadTurn = true;
    now += 1000;
  });
  await slice.giveWay();
  expect(hadTurn).toBe(true);
  // The time that other work took does not count.
  expect(slice.isOver).toBe(false);
  now += 3;
  expect(slice.isOver).toBe(true);
});
