import { describe, expect, test } from 'vitest';

import { mayChangeUnseen, VerifiedFiles } from './verified-files.ts';

const long = Date.now() - 60_000;
const identity = { ino: 5, size: 100, mtimeMs: long, ctimeMs: long + 0.25 };

describe('a file that was verified', () => {
  test.each([
    ['inode', { ino: 6 }],
    ['size', { size: 101 }],
    ['time of writing', { mtimeMs: long + 0.001 }],
    ['time of change', { ctimeMs: long + 0.5 }],
  ])('is unknown again with another %s', (_, change) => {
    const files = new VerifiedFiles();
    files.note('a', identity, true);
    expect(files.isIntact('a', { ...identity })).toBe(true);
    expect(files.isDamaged('a', identity)).toBe(false);
    expect(files.age('a', identity)).toBeLessThan(60_000);
    const changed = { ...identity, ...change };
    expect(files.isIntact('a', changed)).toBe(false);
    expect(files.age('a', changed)).toBe(Infinity);
  });

  test('counts as damaged, not as intact, if it had other bytes', () => {
    const files = new VerifiedFiles();
    files.note('a', identity, false);
    expect(files.isDamaged('a', identity)).toBe(true);
    expect(files.isIntact('a', identity)).toBe(false);
    expect(files.isDamaged('b', identity)).toBe(false);
  });

  test('is not remembered if a later write could leave the same times', () => {
    const now = Date.now() + 1000;
    const young = { ...identity, mtimeMs: now, ctimeMs: now };
    expect(mayChangeUnseen(young)).toBe(true);
    expect(mayChangeUnseen({ ...young, mtimeMs: now - 100 })).toBe(false);
    expect(mayChangeUnseen(identity)).toBe(false);
    const files = new VerifiedFiles();
    files.note('a', young, true);
    expect(files.isIntact('a', young)).toBe(false);
  });

  test('is forgotten when many others were', () => {
    const files = new VerifiedFiles();
    for (let i = 0; i < 50_000; i++) files.note(`${i}`, identity, true);
    expect(files.isIntact('0', identity)).toBe(false);
    expect(files.isIntact('49999', identity)).toBe(true);
  });

  test('stays damaged however many intact files follow, until it is found to be intact', () => {
    const files = new VerifiedFiles();
    files.note('bad', identity, false);
    for (let i = 0; i < 50_000; i++) files.note(`${i}`, identity, true);
    expect(files.isDamaged('bad', identity)).toBe(true);
    files.note('bad', identity, true);
    expect([files.isDamaged('bad', identity), files.isIntact('bad', identity)]).toEqual([false, true]);
  });
});
