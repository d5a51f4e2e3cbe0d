import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { decodeUploadId, encodeUploadId } from './upload-ids.ts';

/** Any well-formed text. */
const anyText = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 0x10ffff }), fc.constantFrom(0, 0x25, 0x2e, 0x2f, 0x7f, 0xfeff)), {
    maxLength: 40,
  })
  .map((codes) => String.fromCodePoint(...codes.filter((code) => code < 0xd800 || code > 0xdfff)));

describe('an upload id in a path', () => {
  test.each([
    '3fa85f64-5717-4562-b3fc-2c963f66afa6',
    'a',
    '0',
    '_',
    '-',
    'a.b',
    'AbC_9-.sha256',
    `${'x'.repeat(43)}.sha512`,
  ])('like %s is safe and not changed', (id) => {
    expect(encodeUploadId(id)).toBe(id);
    expect(decodeUploadId(id)).toBe(id);
  });

  test.each([
    '',
    '.',
    '..',
    '.hidden',
    'a/b',
    '../../etc/passwd',
    'a b',
    'a%2Fb',
    'a?b#c',
    'a+b',
    'a~b',
    '~',
    '~YQ',
    'a\\b',
    'a\0b',
    'a\r\nb',
    'grün',
    '🦊',
    '\uFEFFid',
    'https://registry.example:5000/v2/a/blobs/uploads/1?_state=a%2Bb&x=/#y',
  ])('like %j is encoded into one segment that no proxy changes', (id) => {
    const segment = encodeUploadId(id);
    expect(segment).toMatch(/^~[A-Za-z0-9_-]*$/);
    expect(decodeUploadId(segment)).toBe(id);
  });

  test('is the same after encoding and decoding', () => {
    const id = fc.oneof(
      anyText,
      fc.webUrl({ withQueryParameters: true, withFragments: true }),
      fc.stringMatching(/^~?[A-Za-z0-9_.-]{0,20}$/),
    );
    fc.assert(
      fc.property(id, (any) => {
        const segment = encodeUploadId(any);
        expect(segment).toMatch(/^[A-Za-z0-9_~-][A-Za-z0-9._-]*$/);
        expect(decodeUploadId(segment)).toBe(any);
      }),
      { numRuns: 200 },
    );
  });

  test.each([
    ['no base64url', '~a b'],
    ['base64', '~-_+/'],
    ['a length that base64 does not have', '~AAAAA'],
    ['padding', '~YQ=='],
    ['bits that base64 leaves unused', '~YR'],
    ['no UTF-8', '~_w'],
    ['an id that would not have been encoded', '~YQ'],
  ])('is not made from a segment with %s, which is returned unchanged', (_what, segment) => {
    expect(decodeUploadId(segment)).toBe(segment);
  });
});
