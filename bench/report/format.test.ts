import { expect, test } from 'vitest';

import { formatComparison, formatNumber, formatRatio, formatSpread } from './format.ts';

test.each([
  [0.5183, '0.52'],
  [9.996, '10.0'],
  [41.26, '41.3'],
  [99.96, '100'],
  [983.4, '983'],
  [1020.4, '1020'],
  [9999.4, '9999'],
  [9999.7, '10.0k'],
  [41_234, '41.2k'],
  [104_321, '104k'],
])('%d is written %s', (value, text) => {
  expect(formatNumber(value)).toBe(text);
});

test('a spread has both ends, and one measurement has none', () => {
  expect(formatSpread({ min: 40_900, max: 42_000, count: 3 })).toBe('40.9k–42.0k');
  expect(formatSpread({ min: 5, max: 5, count: 1 })).toBe('');
});

test.each([
  [0.955, '0.95×'],
  [1.1, '1.10×'],
  [9.999, '10.0×'],
  [5300, '5300×'],
])('a ratio of %d is written %s', (value, text) => {
  expect(formatRatio(value)).toBe(text);
});

test('a ratio is followed by its bounds, if it has some', () => {
  expect(formatComparison({ ratio: 1.031, bounds: { mean: 1.031, low: 0.984, high: 1.0894 } })).toBe(
    '1.03× (0.98–1.09)',
  );
  expect(formatComparison({ ratio: 1.031, bounds: undefined })).toBe('1.03×');
});
