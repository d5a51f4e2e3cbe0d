import { describe, expect, test } from 'vitest';

import { best, boundsOfRatio, median, ratio, summarize } from './statistics.ts';

describe('the median', () => {
  test('is the middle one by size, not by position', () => {
    expect(median([10, 9, 1])).toBe(9);
    expect(median([100, 20, 3])).toBe(20);
  });

  test('is the mean of two middle values', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  test('of one value is that value', () => {
    expect(median([7])).toBe(7);
  });

  test('of no values is an error, not a number', () => {
    expect(() => median([])).toThrow(RangeError);
  });

  test('does not change the order of its argument', () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });
});

test('a summary has the median, the minimum, the maximum and the count', () => {
  expect(summarize([5, 1, 9, 4])).toEqual({ median: 4.5, min: 1, max: 9, count: 4 });
});

describe('a ratio', () => {
  test('above 1 means better if higher is better', () => {
    expect(ratio(30, 20, 'higher')).toBe(1.5);
  });

  test('above 1 means better if lower is better', () => {
    expect(ratio(20, 30, 'lower')).toBe(1.5);
    expect(ratio(40, 10, 'lower')).toBe(0.25);
  });
});

describe('the best candidate', () => {
  const slow = { name: 'slow', summary: summarize([1, 2, 90]) };
  const fast = { name: 'fast', summary: summarize([3, 4, 5]) };

  test('has the highest median if higher is better', () => {
    expect(best([slow, fast], 'higher')).toBe(fast);
  });

  test('has the lowest median if lower is better', () => {
    expect(best([fast, slow], 'lower')).toBe(slow);
  });

  test('is undefined without candidates', () => {
    expect(best([], 'higher')).toBeUndefined();
  });
});

describe('the bounds of a ratio', () => {
  test.each([
    ['four rounds', [110, 100, 120, 130], [100, 100, 100, 100], 1.144536, 0.956307, 1.369814],
    ['three rounds', [9, 20, 33], [10, 20, 30], 0.996655, 0.776684, 1.278926],
  ])('of %s are those of Student', (_rounds, values, others, mean, low, high) => {
    const bounds = boundsOfRatio(values, others, 'higher');
    expect(bounds?.mean).toBeCloseTo(mean, 5);
    expect(bounds?.low).toBeCloseTo(low, 5);
    expect(bounds?.high).toBeCloseTo(high, 5);
  });

  test('turn around where lower is better', () => {
    const higher = boundsOfRatio([9, 20, 33], [10, 20, 30], 'higher');
    const lower = boundsOfRatio([9, 20, 33], [10, 20, 30], 'lower');
    expect(lower?.mean).toBeCloseTo(1 / (higher?.mean ?? NaN), 10);
    expect(lower?.low).toBeCloseTo(1 / (higher?.high ?? NaN), 10);
    expect(lower?.high).toBeCloseTo(1 / (higher?.low ?? NaN), 10);
  });

  test('compare the values of the same round: a slow machine in one round widens nothing', () => {
    const bounds = boundsOfRatio([100, 10, 1000], [50, 5, 500], 'higher');
    expect(bounds?.low).toBeCloseTo(2, 10);
    expect(bounds?.high).toBeCloseTo(2, 10);
  });

  test('use the rounds that both have', () => {
    expect(boundsOfRatio([9, 20, 33, 1], [10, 20, 30], 'higher')?.mean).toBeCloseTo(0.996655, 5);
  });

  test('need two rounds', () => {
    expect(boundsOfRatio([3], [2, 2], 'higher')).toBeUndefined();
    expect(boundsOfRatio([], [], 'higher')).toBeUndefined();
  });

  test('are narrower with more rounds of the same spread', () => {
    const width = (rounds: number): number => {
      const values = Array.from({ length: rounds }, (_, i) => (i % 2 === 0 ? 90 : 110));
      const bounds = boundsOfRatio(
        values,
        values.map(() => 100),
        'higher',
      );
      return (bounds?.high ?? NaN) - (bounds?.low ?? NaN);
    };
    expect(width(10)).toBeLessThan(width(4));
    expect(width(40)).toBeLessThan(width(30));
  });
});
