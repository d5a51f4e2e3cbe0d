import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { cpuTimeOf } from '../../../test/cpu-time.ts';

import { formatWarnings, parseWarnings } from './warnings.ts';

const room = 4096;
const around = '299 - ""'.length;

/** Any well-formed text. */
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
  ])('of the text %j are %j', (text, header) => {
    expect(formatWarnings([text])).toEqual([header]);
  });

  test('may fill the allowed length, and not a byte more', () => {
    const half = 'a'.repeat(room / 2 - around);
    expect(formatWarnings([half, half])).toHaveLength(2);
    expect(formatWarnings([half, `${half}a`])).toHaveLength(1);
    expect(formatWarnings(['a'.repeat(room - around)])).toHaveLength(1);
    expect(formatWarnings(['a'.repeat(room - around + 1)])).toHaveLength(0);
  });

  test('that are too long are left out, and shorter ones behind them are not', () => {
    expect(formatWarnings(['first', 'a'.repeat(room), 'last'])).toEqual(['299 - "first"', '299 - "last"']);
  });

  test('are measured with the characters that quoting adds', () => {
    expect(formatWarnings(['"'.repeat(room - around)])).toEqual([]);
  });

  test('can be sent for any texts', () => {
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

describe('the texts of warning headers', () => {
  test('are the formatted ones, in one header or in several', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ minLength: 1, maxLength: 200, unit: 'grapheme-ascii' }), { maxLength: 8 }),
        (texts) => {
          expect(parseWarnings(formatWarnings(texts).join(', '))).toEqual(texts);
        },
      ),
    );
  });

  test.each([
    ['299 - "one"', ['one']],
    ['299 - "one","two"', ['one']],
    ['299 - "one",299 - "two"', ['one', 'two']],
    ['299 - "one" "Sat, 01 Jan 2028 00:00:00 GMT", 299 - "two"', ['one', 'two']],
    [', ,299   -   "one",', ['one']],
    ['299 - "say \\"no\\", or \\\\"', ['say "no", or \\']],
    ['110 - "Response is stale", 299 - "one"', ['one']],
    ['299 proxy.example "one"', []],
    ['299 - "one", nonsense, 299 - "two"', ['one']],
    ['299 - "one', []],
    ['299 - one', []],
    ['', []],
  ])('in %s are %j', (header, texts) => {
    expect(parseWarnings(header)).toEqual(texts);
  });

  test('are ASCII and one line each, as they go to terminals', () => {
    expect(parseWarnings('299 - "a\u001b[31mb\u0085c"')).toEqual(['a [31mb c']);
  });

  test('are found quickly in any header', () => {
    const headers = ['299 - "'.repeat(2000), ' '.repeat(20_000), `299 - "${'\\'.repeat(20_000)}`, ','.repeat(20_000)];
    const took = cpuTimeOf(() => {
      for (const header of headers) parseWarnings(header);
    });
    expect(took).toBeLessThan(5000);
  });
});
