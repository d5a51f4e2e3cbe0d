import * as fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';

import { createUploadIdIssuer, fromBase64Url, toBase64Url } from './upload-ids.ts';

const key = new Uint8Array(32).fill(7);
const ids = createUploadIdIssuer(key);

afterEach(() => {
  vi.useRealTimers();
});

/** Any well-formed text, whatever is in it. */
const anyText = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 0x10ffff }), fc.constantFrom(0, 0x25, 0x2e, 0x2f, 0x7f, 0xfeff)), {
    maxLength: 40,
  })
  .map((codes) => String.fromCodePoint(...codes.filter((code) => code < 0xd800 || code > 0xdfff)));

describe('an upload id', () => {
  test('is good in its repository, and says when it was issued and with which label', () => {
    vi.useFakeTimers({ now: new Date('2061-07-28T12:34:56.789Z') });
    const id = ids.issue('a/b', 'sha512');
    vi.setSystemTime(new Date('2062-01-01T00:00:00Z'));
    expect(ids.check('a/b', id)).toEqual({
      at: Date.parse('2061-07-28T12:34:56.789Z'),
      label: 'sha512',
      isFresh: true,
    });
  });

  test('is safe in a path and in a file’s name', () => {
    expect(ids.issue('a/b', 'sha256')).toMatch(/^[A-Za-z0-9_-]{43}\.sha256$/);
  });

  test('is never issued twice', () => {
    const issued = new Set(Array.from({ length: 1000 }, () => ids.issue('a', 'sha256')));
    expect(issued.size).toBe(1000);
  });

  test('is good for every issuer with the same key, also in another process', () => {
    const id = ids.issue('a', 'sha256');
    expect(createUploadIdIssuer(Uint8Array.from(key)).check('a', id)?.label).toBe('sha256');
  });

  test('is not good for another key, nor for one that is made up', () => {
    const id = ids.issue('a', 'sha256');
    expect(createUploadIdIssuer(new Uint8Array(32).fill(8)).check('a', id)).toBeUndefined();
    expect(createUploadIdIssuer().check('a', id)).toBeUndefined();
    expect(createUploadIdIssuer().check('a', createUploadIdIssuer().issue('a', 'sha256'))).toBeUndefined();
  });

  test.each(['b', 'a/b', 'A', 'a ', ''])('is not good in the repository %j', (repository) => {
    expect(ids.check(repository, ids.issue('a', 'sha256'))).toBeUndefined();
  });

  test('is not good with another label', () => {
    const id = ids.issue('a', 'sha256');
    for (const label of ['sha512', 'sha25', 'sha2566', 'sha256.', '']) {
      expect(ids.check('a', id.replace('sha256', label))).toBeUndefined();
    }
  });

  test('does not let a part of the repository’s name pass as a part of the label', () => {
    const id = ids.issue('x.y', 'sha256');
    expect(ids.check('y', `${id}.x`)).toBeUndefined();
    expect(ids.check('x.y', id)).toBeDefined();
  });

  test('is not good with any character changed, left out or put in', () => {
    const alphabet = fc.constantFrom('A', 'B', 'z', '0', '9', '-', '_', '.', '~', '=', '+', '/', ' ', 'é', '\0');
    fc.assert(
      fc.property(fc.nat(), alphabet, fc.constantFrom('change', 'leave out', 'put in'), (n, character, what) => {
        const id = ids.issue('a/b', 'sha256');
        const at = n % id.length;
        const rest = id.slice(what === 'put in' ? at : at + 1);
        const changed = id.slice(0, at) + (what === 'leave out' ? '' : character) + rest;
        fc.pre(changed !== id);
        expect(ids.check('a/b', changed)).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  test('has one form only: the bits that its last character leaves unused are none', () => {
    const id = ids.issue('a', 'sha256');
    for (const last of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_') {
      const changed = id.slice(0, 42) + last + id.slice(43);
      if (changed !== id) expect(ids.check('a', changed)).toBeUndefined();
    }
  });

  test('is not good cut off anywhere', () => {
    const id = ids.issue('a', 'sha256');
    for (let length = 0; length < id.length; length++) {
      expect(ids.check('a', id.slice(0, length))).toBeUndefined();
      expect(ids.check('a', id.slice(id.length - length))).toBeUndefined();
    }
  });

  test('is not any text that was not issued', () => {
    const text = fc.oneof(anyText, fc.stringMatching(/^[A-Za-z0-9_-]{43}\.[a-z0-9]{1,8}$/));
    fc.assert(
      fc.property(text, (any) => {
        expect(ids.check('a', any)).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  test.each(['', '.', '.sha256', `${'A'.repeat(43)}.`, 'A'.repeat(43), `${'A'.repeat(44)}.sha256`, '🦊'.repeat(50)])(
    'is not %j',
    (text) => expect(ids.check('a', text)).toBeUndefined(),
  );

  test('may be issued with every label that an algorithm may be named', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9]{1,5}([+._-][a-z0-9]{1,5}){0,3}$/), (label) => {
        expect(ids.check('a', ids.issue('a', label))?.label).toBe(label);
      }),
    );
  });
});

describe('base64url', () => {
  test.each([
    [[], ''],
    [[0], 'AA'],
    [[255], '_w'],
    [[251, 255], '-_8'],
    [[102, 111, 111], 'Zm9v'],
    [[102, 111, 111, 98], 'Zm9vYg'],
  ])('%j is written %j', (bytes, text) => {
    expect(toBase64Url(Uint8Array.from(bytes))).toBe(text);
    expect(fromBase64Url(text)).toEqual(Uint8Array.from(bytes));
  });

  test.each(['A', 'AAAAA', 'AA==', 'A+', 'A/', 'A A', 'AA\n', 'é', 'AA='])('%j is not base64url', (text) => {
    expect(fromBase64Url(text)).toBeUndefined();
  });

  test('reading is the inverse of writing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(fromBase64Url(toBase64Url(bytes))).toEqual(bytes);
      }),
    );
  });
});
