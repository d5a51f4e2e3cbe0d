import { describe, expect, test } from 'vitest';

import { planGrowth } from './growth-plan.ts';

describe('a plan for growth', () => {
  test('times the pushes before each size, and both tenths', () => {
    expect(planGrowth([100, 2000, 10_000], 10_000)).toEqual([
      { from: 0, to: 100, timed: true },
      { from: 100, to: 1000, timed: true },
      { from: 1000, to: 1900, timed: false },
      { from: 1900, to: 2000, timed: true },
      { from: 2000, to: 9000, timed: false },
      { from: 9000, to: 9900, timed: true },
      { from: 9900, to: 10_000, timed: true },
    ]);
  });

  test('has no gaps between its stretches, up to the largest size', () => {
    const plan = planGrowth([50, 200, 3000], 200);
    expect(plan[0]?.from).toBe(0);
    expect(plan.at(-1)?.to).toBe(3000);
    for (const [i, { from }] of plan.entries()) expect(from).toBe(plan[i - 1]?.to ?? 0);
  });

  test('times no tenths of a size that is not reached', () => {
    expect(planGrowth([100], 10_000)).toEqual([{ from: 0, to: 100, timed: true }]);
  });
});
