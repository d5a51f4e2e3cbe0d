import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { formatUploadProgress, parseUploadProgress } from './index.ts';

describe('the progress of an upload', () => {
  test('is the same after formatting and parsing', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), (size) => {
        const headers = formatUploadProgress(size);
        expect(parseUploadProgress(headers.Range, headers['Upload-Offset'])).toBe(size);
      }),
    );
  });

  test('is parsed from Range alone if Range tells it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 1 }), (size) => {
        expect(parseUploadProgress(formatUploadProgress(size).Range, null)).toBe(size < 2 ? 'few' : size);
      }),
    );
  });

  test.each([
    ['bytes=0-9', null, 10],
    ['bytes 0-9', null, 10],
    [' 0-9 ', null, 10],
    ['0--1', null, 0],
    ['0-0', null, 'few'],
    ['0-0', '0', 0],
    ['0-0', '1', 1],
    ['0-9', '10', 10],
    ['0-9', 'ten', 10],
    [null, '10', 10],
    [null, null, undefined],
    ['', null, undefined],
    ['0-', null, undefined],
    ['0-9/10', null, undefined],
    ['0-99999999999999999999', null, undefined],
    [null, '99999999999999999999', undefined],
  ])('in Range %j and Upload-Offset %j is %j', (range, offset, size) => {
    expect(parseUploadProgress(range, offset)).toBe(size);
  });
});
