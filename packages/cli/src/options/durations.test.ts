import { expect, test } from 'vitest';

import { parseDuration } from './durations.ts';

test.each([
  ['0', 0],
  ['250ms', 250],
  ['90s', 90_000],
  ['1h', 3_600_000],
  ['1.5h', 5_400_000],
  ['7d', 604_800_000],
])('%s is %d milliseconds', (text, expected) => {
  expect(parseDuration(text)).toBe(expected);
});

test.each(['', '5', 'h', '-1h', '1 h', '1w', '1e3s', '0x1h', '1h30m', '99999999999d', 'NaNs'])(
  '%o is no duration',
  (text) => {
    expect(() => parseDuration(text)).toThrow('A duration is a number and');
  },
);
