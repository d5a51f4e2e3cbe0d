import { describe, expect, test } from 'vitest';

import { UsageError, meant, parseOptions } from './options.ts';

describe('the options', () => {
  test('are all off by default', () => {
    expect(parseOptions([])).toEqual({
      only: [],
      peers: [],
      rounds: undefined,
      quick: false,
      reference: false,
      newest: false,
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

  test('write the reference run into its document, or elsewhere', () => {
    expect(parseOptions(['--reference']).markdown).toBe('docs/performance.md');
    expect(parseOptions(['--reference', '--markdown', 'other.md']).markdown).toBe('other.md');
  });

  test('refuse a reference run that is quick', () => {
    expect(() => parseOptions(['--reference', '--quick'])).toThrow(UsageError);
  });

  test.each([['--rounds', '0'], ['--rounds', '2.5'], ['--rounds', 'many'], ['--only', 'a,,b'], ['--fast'], ['file']])(
    'refuse %s %s',
    (...args) => {
      expect(() => parseOptions(args)).toThrow(UsageError);
    },
  );
});

describe('a name matches', () => {
  test('a word in it, ignoring case', () => {
    expect(meant(['PULL'], 'pull-1', '1 GiB pull')).toBe(true);
    expect(meant(['gib', 'x'], 'pull-1', '1 GiB pull')).toBe(true);
    expect(meant(['push'], 'pull-1', '1 GiB pull')).toBe(false);
  });

  test('an empty list of words', () => {
    expect(meant([], 'pull-1')).toBe(true);
  });
});
