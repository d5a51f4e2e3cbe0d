import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { formatWarnings } from './warnings.ts';

const room = 4096;
const around = '299 - ""'.length;

/** Any well-formed text, whatever is in it. */
const anyText = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 0x10ffff }), fc.constantFrom(0, 0x25, 0x2e, 0x2f, 0x7f, 0xfeff)), {
    maxLength: 40,
  })
  .map((codes) => String.fromCodePoint(...codes.filter((code) => code < 0xd800 || code > 0xdfff)));

describe('warning headers', () => {
  test('have the code 299, no agent and no date', () => {
    expect(formatWarnings(['This image is deprecated.'])).toEqual(['299 - "This image is deprecated."']);
  });

  test('come in the order of the texts', () => {
    expect(formatWarnings(['b', 'a'])).toEqual(['299 - "b"', '299 - "a"']);
    expect(formatWarnings([])).toEqual([]);
  });

  test.each([
    ['say "no"', String.raw`299 - "say \"no\""`],
    [String.raw`C:\dir`, String.raw`299 - "C:\\dir"`],
    [String.raw`a\"b`, String.raw`299 - "a\\\"b"`],
    ['one\r\nX-Injected: two', '299 - "one X-Injected: two"'],
    ['a\0b\tc\u007fd\u0085e', '299 - "a b c d e"'],
    ['grün 🦊!', '299 - "gr n  !"'],
    ['', '299 - ""'],
  ])('%j becomes %j', (text, header) => {
    expect(formatWarnings([text])).toEqual([header]);
  });

  test('may take up the room altogether, and not a byte more', () => {
    const half = 'a'.repeat(room / 2 - around);
    expect(formatWarnings([half, half])).toHaveLength(2);
    expect(formatWarnings([half, `${half}a`])).toHaveLength(1);
    expect(formatWarnings(['a'.repeat(room - around)])).toHaveLength(1);
    expect(formatWarnings(['a'.repeat(room - around + 1)])).toHaveLength(0);
  });

  test('are left out if there is no room for them, and the shorter ones behind them are not', () => {
    expect(formatWarnings(['first', 'a'.repeat(room), 'last'])).toEqual(['299 - "first"', '299 - "last"']);
  });

  test('are measured with what quoting adds', () => {
    expect(formatWarnings(['"'.repeat(room - around)])).toEqual([]);
  });

  test('can be sent whatever the texts are', () => {
    const text = fc.oneof(anyText, fc.constant('"'.repeat(1500)), fc.string({ maxLength: 3000 }));
    fc.assert(
      fc.property(fc.array(text, { maxLength: 12 }), (texts) => {
        const headers = formatWarnings(texts);
        expect(headers.join('').length).toBeLessThanOrEqual(room);
        for (const header of headers) {
          expect(header).toMatch(/^299 - "(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"$/);
        }
      }),
    );
  });
});
