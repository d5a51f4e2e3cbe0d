import { expect, it } from 'vitest';

import { TimeSlice } from './time-slice.ts';

it('is over after a while, and begins anew when others have had their turn', async () => {
  const slice = new TimeSlice();
  expect(slice.isOver).toBe(false);
  const started = performance.now();
  while (!slice.isOver) expect(performance.now() - started).toBeLessThan(1000);
  let turns = 0;
  setTimeout(() => (turns += 1), 0);
  await slice.giveWay();
  expect(turns).toBe(1);
  expect(slice.isOver).toBe(false);
});
