import { describe, expect, test } from 'vitest';

import { UsageError, meant, parseOptions } from './options.ts';

describe('the options', () => {
  test('are all off when none is given', () => {
    expect(parseOptions([])).toEqual({
      only: [],
      peers: [],
      rounds: undefined,
      quick: false,
      install: false,
      scratch: undefined,
      json: undefined,
      markdown: undefined,
    });
  });

  test('take lists with commas, and numbers', () => {
    const options = parseOptions(['--only', 'get-tag, push', '--peers=crane', '--rounds', '5', '--quick']);
    expect(options).toMatchObject({ only: ['get-tag', 'push'], peers: ['crane'], rounds: 5, quick: true });
  });

  test.each([['--rounds', '0'], ['--rounds', '2.5'], ['--rounds', 'many'], ['--only', 'a,,b'], ['--fast'], ['file']])(
    'refuse %s %s',
    (...args) => {
      expect(() => parseOptions(args)).toThrow(UsageError);
    },
  );
});

describe('a name is meant', () => {
  test('by a word in it, in whatever case', () => {
    expect(meant(['PULL'], 'pull-1', '1 GiB pull')).toBe(true);
    expect(meant(['gib', 'x'], 'pull-1', '1 GiB pull')).toBe(true);
    expect(meant(['push'], 'pull-1', '1 GiB pull')).toBe(false);
  });

  test('by no word at all', () => {
    expect(meant([], 'pull-1')).toBe(true);
  });
});
