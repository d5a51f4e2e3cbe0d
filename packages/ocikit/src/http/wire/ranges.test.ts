import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import type { ByteRange, ResolvedRange } from '../../model/index.ts';

import {
  formatChunkRange,
  formatContentRange,
  formatRange,
  parseChunkRange,
  parseContentRange,
  parseRanges,
} from './ranges.ts';

const most = Number.MAX_SAFE_INTEGER;
const position = fc.oneof(fc.nat(), fc.maxSafeNat()).map((n) => Math.min(n, most - 1));

describe('a Range header', () => {
  test.each<[string, ByteRange]>([
    ['bytes=0-0', { start: 0, end: 1 }],
    ['bytes=0-499', { start: 0, end: 500 }],
    ['bytes=500-', { start: 500 }],
    ['bytes=-500', { last: 500 }],
    ['bytes=-0', { last: 0 }],
    ['bytes=007-010', { start: 7, end: 11 }],
    ['BYTES=1-2', { start: 1, end: 3 }],
    [' bytes = 1-2 ', { start: 1, end: 3 }],
    ['bytes=1-2,', { start: 1, end: 3 }],
    ['bytes=, ,5-', { start: 5 }],
    ['bytes=-3 , ', { last: 3 }],
    ['bytes=0-99999999999999999999', { start: 0, end: most }],
    ['bytes=99999999999999999999-', { start: most - 1 }],
    ['bytes=-99999999999999999999', { last: most - 1 }],
    ['bytes=99999999999999999999-99999999999999999999', { start: most - 1, end: most }],
  ])('%j asks for %j', (header, range) => {
    expect(parseRanges(header)).toStrictEqual([range]);
  });

  test.each<[string, ...ByteRange[]]>([
    ['bytes=0-1,3-4', { start: 0, end: 2 }, { start: 3, end: 5 }],
    ['bytes=0-1, -1', { start: 0, end: 2 }, { last: 1 }],
    ['bytes=5-, 0-1', { start: 5 }, { start: 0, end: 2 }],
    ['bytes=0-1,,3-4,', { start: 0, end: 2 }, { start: 3, end: 5 }],
    ['bytes=3-4\t,\t3-4', { start: 3, end: 5 }, { start: 3, end: 5 }],
  ])('%j asks for several ranges in their order', (header, ...ranges) => {
    expect(parseRanges(header)).toStrictEqual(ranges);
  });

  test('asks for at most 1024 ranges', () => {
    const header = (count: number): string => `bytes=${Array.from({ length: count }, (_, i) => `${i}-${i}`).join()}`;
    expect(parseRanges(header(1024))).toHaveLength(1024);
    expect(parseRanges(header(1025))).toBeUndefined();
  });

  test.each(['items=0-5', 'seconds=1-', 'x='])('%j is answered with the whole content', (header) => {
    expect(parseRanges(header)).toBeUndefined();
  });

  test.each([
    '',
    'bytes',
    'bytes 0-5',
    'bytes=',
    'bytes=-',
    'bytes=--1',
    'bytes=5',
    'bytes=5-4',
    'bytes=a-b',
    'bytes=0-b',
    'bytes=0x1-0x2',
    'bytes=1.5-2',
    'bytes=+1-2',
    'bytes=1 - 2',
    'bytes=1-2-3',
    'bytes=,',
    'bytes= , ,',
    'bytes=1-2,x',
    'bytes=1-2,5-4',
    'bytes=٣-٤',
    'bytes==1-2',
  ])('%j is malformed', (header) => {
    expect(() => parseRanges(header)).toThrow(expect.objectContaining({ code: 'RANGE_INVALID' }));
  });

  test('that is malformed is not repeated at length', () => {
    expect(() => parseRanges(`bytes=${'x'.repeat(5000)}`)).toThrow(/^the Range header "bytes=x{94}…" is not/);
  });

  test.each<ByteRange>([{ last: 0 }, { start: 3, end: 3 }, { start: 0, end: 0 }])(
    'cannot ask for the empty part %j',
    (range) => {
      expect(formatRange(range)).toBeUndefined();
    },
  );

  test('is the same after formatting and parsing', () => {
    const range = fc.oneof(
      position.map((start): ByteRange => ({ start })),
      position.map((last): ByteRange => ({ last })),
      fc.tuple(position, position).map(([a, b]): ByteRange => ({ start: Math.min(a, b), end: Math.max(a, b) + 1 })),
    );
    fc.assert(
      fc.property(range, (any) => {
        const header = formatRange(any);
        if ('last' in any && any.last === 0) expect(header).toBeUndefined();
        else expect(parseRanges(header ?? '')).toStrictEqual([any]);
      }),
    );
  });
});

test('the Content-Range of a part names its first and last byte and the size of the whole', () => {
  expect(formatContentRange({ start: 0, end: 1 }, 1)).toBe('bytes 0-0/1');
  expect(formatContentRange({ start: 500, end: 1000 }, 1234)).toBe('bytes 500-999/1234');
});

describe('the Content-Range of a chunk', () => {
  test.each<[string, ResolvedRange]>([
    ['0-0', { start: 0, end: 1 }],
    ['0-499', { start: 0, end: 500 }],
    ['500-999', { start: 500, end: 1000 }],
    ['bytes 500-999', { start: 500, end: 1000 }],
    ['bytes=500-999', { start: 500, end: 1000 }],
    ['bytes 500-999/1000', { start: 500, end: 1000 }],
    ['bytes 500-999/*', { start: 500, end: 1000 }],
    ['500-999/1000', { start: 500, end: 1000 }],
    ['Bytes 1-2/3', { start: 1, end: 3 }],
    ['  7-8 ', { start: 7, end: 9 }],
    ['36-35', { start: 36, end: 36 }],
    ['1-0', { start: 1, end: 1 }],
    [`${most - 1}-${most - 1}`, { start: most - 1, end: most }],
  ])('%j is %j', (header, range) => {
    expect(parseChunkRange(header)).toStrictEqual(range);
  });

  test.each([
    '',
    '-',
    '0',
    '0-',
    '-5',
    '0--1',
    '5-3',
    '2-0',
    'a-b',
    '0x0-0x1',
    '0-1.5',
    '+0-1',
    '0 - 1',
    '0-1,2-3',
    '0-1/',
    '0-1/x',
    '0-1/-1',
    '0-1/2/3',
    'bytes',
    'bytes */10',
    'bytes0-1',
    'items 0-1',
    '٣-٤',
  ])('%j is malformed', (header) => {
    expect(() => parseChunkRange(header)).toThrow(expect.objectContaining({ code: 'BLOB_UPLOAD_INVALID' }));
  });

  test('that is malformed is not repeated at length', () => {
    expect(() => parseChunkRange('x'.repeat(5000))).toThrow(/^the Content-Range header "x{100}…" is not/);
  });

  test('is formatted as in the specification', () => {
    expect(formatChunkRange({ start: 0, end: 500 })).toBe('0-499');
    expect(formatChunkRange({ start: 500, end: 501 })).toBe('500-500');
  });

  test('does not exist for a chunk without bytes', () => {
    expect(formatChunkRange({ start: 0, end: 0 })).toBeUndefined();
    expect(formatChunkRange({ start: 7, end: 7 })).toBeUndefined();
  });

  test('is the same after formatting and parsing', () => {
    fc.assert(
      fc.property(position, position, (a, b) => {
        const chunk = { start: Math.min(a, b), end: Math.max(a, b) + 1 };
        const header = formatChunkRange(chunk) ?? '';
        expect(header).toMatch(/^[0-9]+-[0-9]+$/);
        expect(parseChunkRange(header)).toStrictEqual(chunk);
      }),
    );
  });
});

describe('the Content-Range of an answer', () => {
  test.each([
    ['bytes 0-0/1', { range: { start: 0, end: 1 }, size: 1 }],
    ['bytes 5-9/10', { range: { start: 5, end: 10 }, size: 10 }],
    ['Bytes  5-9/10 ', { range: { start: 5, end: 10 }, size: 10 }],
    ['bytes 5-9/*', { range: { start: 5, end: 10 }, size: undefined }],
    ['bytes */10', { range: undefined, size: 10 }],
    ['bytes */0', { range: undefined, size: 0 }],
  ])('%j is parsed as %j', (header, expected) => {
    expect(parseContentRange(header)).toStrictEqual(expected);
  });

  test.each([
    '',
    'bytes',
    'bytes 5-9',
    '5-9/10',
    'bytes=5-9/10',
    'items 5-9/10',
    'bytes 9-5/10',
    'bytes 5-10/10',
    'bytes -9/10',
    'bytes 5-/10',
    'bytes */*',
    'bytes 5-9/10, bytes 0-1/10',
    'bytes 0-9/99999999999999999999',
    'bytes 0-99999999999999999999/*',
    'bytes */99999999999999999999',
  ])('%j is malformed', (header) => {
    expect(parseContentRange(header)).toBeUndefined();
  });

  test('is the same after formatting and parsing', () => {
    fc.assert(
      fc.property(position, position, position, (a, b, c) => {
        const [start = 0, last = 0, end = 0] = [a, b, c].toSorted((x, y) => x - y);
        const range = { start, end: last + 1 };
        expect(parseContentRange(formatContentRange(range, end + 1))).toStrictEqual({ range, size: end + 1 });
      }),
    );
  });
});
