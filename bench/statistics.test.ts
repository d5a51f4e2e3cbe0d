import { describe, expect, test } from 'vitest';

import { best, median, ratio, summarize } from './statistics.ts';

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
