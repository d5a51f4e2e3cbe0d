import { describe, expect, test } from 'vitest';

import { digestOf } from '../../model/index.ts';
import type { Digest } from '../../model/index.ts';

import { formatEntityTag, matches, parseEntityTags } from './entity-tags.ts';

const one = digestOf(Uint8Array.of(1));
const two = digestOf(Uint8Array.of(2), 'sha512');

test('the entity tag of content is its digest in quotes', () => {
  expect(formatEntityTag(one)).toBe(`"${one}"`);
});

describe('a list of entity tags', () => {
  test.each<[string, '*' | Digest[]]>([
    ['*', '*'],
    [' * ', '*'],
    [`"${one}"`, [one]],
    [`"${one}","${two}"`, [one, two]],
    [`  "${one}" ,\t"${two}"  `, [one, two]],
    [`W/"${one}"`, [one]],
    [`W/"${one}", "${two}"`, [one, two]],
    ['"v1", ""', []],
    [`"v1", "${one}", "a,b"`, [one]],
    [`"${one.toUpperCase()}"`, []],
    ['""', []],
    ['', []],
    ['  ', []],
    // Empty elements are ignored. RFC 9110, section 5.6.1.
    [`,"${one}", ,"${two}",`, [one, two]],
    [`"${one}", `, [one]],
  ])('%s is read', (header, expected) => {
    expect(parseEntityTags(header, 'weak')).toEqual(expected);
  });

  test.each([
    one,
    `"${one}`,
    `${one}"`,
    `'${one}'`,
    `"${one}" "${two}"`,
    `"${one}";x`,
    `w/"${one}"`,
    `W"${one}"`,
    `W/ "${one}"`,
    `"${one}", *`,
    '*, *',
    '**',
    'x'.repeat(10_000),
  ])('%.60s is malformed', (header) => {
    expect(() => parseEntityTags(header, 'weak')).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });

  test('that is malformed is cut short in the error', () => {
    expect(() => parseEntityTags('x'.repeat(10_000), 'weak')).toThrow(/^"x{200}" is not/);
  });

  test('has every digest that was formatted into it', () => {
    expect(parseEntityTags([one, two].map(formatEntityTag).join(', '), 'strong')).toEqual([one, two]);
  });
});

test('an asterisk matches everything, a list only what it names', () => {
  expect(matches('*', one)).toBe(true);
  expect(matches([one, two], two)).toBe(true);
  expect(matches([one], two)).toBe(false);
  expect(matches([], one)).toBe(false);
});

test('weak entity tags are left out of a strong comparison', () => {
  expect(parseEntityTags(`W/"${one}", "${two}"`, 'strong')).toEqual([two]);
});
