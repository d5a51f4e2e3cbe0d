import { describe, expect, test } from 'vitest';

import { parseJson } from './index.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const list = (count: number, entry: (i: number) => string): string =>
  `[${Array.from({ length: count }, (_, i) => entry(i)).join(',')}]`;

describe('parseJson', () => {
  test.each([
    ['a list in 32 levels', '['.repeat(32) + ']'.repeat(32)],
    ['brackets in a text', JSON.stringify('[{'.repeat(1000))],
    ['quotes and backslashes in a text', JSON.stringify(`\\"[${'\\"{'.repeat(500)}`)],
    ['commas and colons in a text', JSON.stringify(',:'.repeat(200_000))],
    ['characters of two, three and four bytes', '{"é":"€","😀":"é"}'],
    ['36,000 descriptors', list(36_000, (i) => `{"mediaType":"a/b","size":1,"digest":"${i}"}`)],
    ['10,000 different keys', `{${Array.from({ length: 10_000 }, (_, i) => `"${i}":0`).join(',')}}`],
    ['one key many times', `{${'"a":1,'.repeat(100_000)}"a":2}`],
    ['one key in many objects', list(50_000, () => '{"a":"b"}')],
  ])('accepts %s', (_what, text) => {
    expect(parseJson(encode(text))).toEqual(JSON.parse(text));
  });

  test.each([
    ['lists', '['.repeat(33) + ']'.repeat(33), 'nests deeper than 32 levels'],
    ['objects', '{"a":'.repeat(33) + '0' + '}'.repeat(33), 'nests deeper than 32 levels'],
    ['a million brackets', '['.repeat(1_000_000), 'nests deeper than 32 levels'],
    ['a million zeros', list(1_000_000, () => '0'), 'has more than 150000 values'],
    ['a million empty objects', list(1_000_000, () => '{}'), 'has more than 150000 values'],
    ['lists in lists', list(40_000, () => '[[[[[]]]]]'), 'has more than 150000 values'],
    ['keys', `{${Array.from({ length: 10_001 }, (_, i) => `"${i}":0`).join(',')}}`, 'more than 10000 different keys'],
    ['a key for each object', list(10_001, (i) => `{"k${i}":0}`), 'more than 10000 different keys'],
    ['keys that differ in their middle', list(10_001, (i) => `{"k${i + 100_000}k":0}`), 'different keys'],
  ])('refuses too many %s before it parses them', (_what, text, message) => {
    expect(() => parseJson(encode(text))).toThrow(RangeError);
    expect(() => parseJson(encode(text))).toThrow(message);
  });

  test.each(['', '{', '"', '"\\', '[,]', ']]]][', '\ufeff{}', '{"a" 1}'])('leaves %j to the parser', (text) => {
    expect(() => parseJson(encode(text))).toThrow(SyntaxError);
  });

  test('refuses bytes that are not UTF-8', () => {
    expect(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22))).toThrow(TypeError);
  });
});
