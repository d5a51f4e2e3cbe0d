import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { collect } from '../../model/index.ts';

import { namesAfter, SortedNames } from './sorted-names.ts';

function sorted(...names: string[]): SortedNames {
  const all = new SortedNames();
  for (const name of names) all.add(name);
  return all;
}

/** `tag-00000`, `tag-00001`, … */
const numbered = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `tag-${String(i).padStart(5, '0')}`);

/** The same permutation each time. */
function shuffled(names: readonly string[]): string[] {
  const all = [...names];
  let seed = 42;
  for (let i = all.length - 1; i > 0; i--) {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    const j = seed % (i + 1);
    [all[i], all[j]] = [all[j] ?? '', all[i] ?? ''];
  }
  return all;
}

/** The model of {@link SortedNames}. */
class PlainNames {
  names: string[] = [];
  add(name: string): void {
    if (!this.names.includes(name)) this.names = [...this.names, name].toSorted();
  }
  delete(name: string): void {
    this.names = this.names.filter((other) => other !== name);
  }
  after(name: string | undefined, count: number): string[] {
    return this.names.filter((other) => name === undefined || other > name).slice(0, count);
  }
}

describe('sorted names', () => {
  test('lie in byte order, each once', () => {
    const names = sorted('b', 'a', 'B', '_', '10', '9', 'a', 'a.b', 'a-b', 'a/b', 'ab', '');
    expect(names.after(undefined, Infinity)).toEqual(['', '10', '9', 'B', '_', 'a', 'a-b', 'a.b', 'a/b', 'ab', 'b']);
    expect(names.size).toBe(11);
  });

  test('are none at first', () => {
    const names = new SortedNames();
    expect(names.size).toBe(0);
    expect(names.after(undefined, 10)).toEqual([]);
    expect(names.after('a', 10)).toEqual([]);
    names.delete('a');
    expect(names.size).toBe(0);
  });

  test.each([
    [undefined, 2, ['b', 'd']],
    ['a', 2, ['b', 'd']],
    ['b', 2, ['d', 'f']],
    ['c', 2, ['d', 'f']],
    ['d', 2, ['f']],
    ['f', 2, []],
    ['g', 2, []],
    ['', 2, ['b', 'd']],
    ['b', 0, []],
    ['b', Infinity, ['d', 'f']],
  ])('after %j at most %d come: %j', (name, count, expected) => {
    expect(sorted('f', 'b', 'd').after(name, count)).toEqual(expected);
  });

  test('can be removed down to the last one, and added again', () => {
    const names = sorted('a', 'b');
    for (const name of ['a', 'x', 'a', 'b']) names.delete(name);
    expect([names.size, names.after(undefined, 10)]).toEqual([0, []]);
    names.add('c');
    expect([names.size, names.after(undefined, 10)]).toEqual([1, ['c']]);
  });

  test.each([
    ['in order', numbered(5000)],
    ['in the opposite order', numbered(5000).toReversed()],
    ['in no order', shuffled(numbered(5000))],
  ])('may be thousands, added %s', (_what, names) => {
    const all = sorted(...names, ...names.slice(0, 100));
    expect(all.size).toBe(5000);
    expect(all.after(undefined, Infinity)).toEqual(numbered(5000));
    expect(all.after('tag-02499', 3)).toEqual(['tag-02500', 'tag-02501', 'tag-02502']);
    expect(all.after('tag-02499.5', 2)).toEqual(['tag-02500', 'tag-02501']);
    expect(all.after('tag-00500', 3000)).toEqual(numbered(3501).slice(501));
    for (const name of shuffled(names).slice(0, 4990)) all.delete(name);
    const left = shuffled(names).slice(4990).toSorted();
    expect(all.size).toBe(10);
    expect(all.after(undefined, Infinity)).toEqual(left);
    expect(all.after(left[3], 2)).toEqual(left.slice(4, 6));
  });

  test('are like a plain sorted list, whatever is added, removed and asked for in between', () => {
    const name = fc.oneof(
      fc.nat({ max: 3000 }).map((n) => `tag-${n}`),
      fc.string({ unit: fc.constantFrom('a', 'B', '-', '.', '0'), maxLength: 4 }),
    );
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.tuple(fc.constant('add' as const), name) },
      { weight: 2, arbitrary: fc.tuple(fc.constant('delete' as const), name) },
      { weight: 2, arbitrary: fc.tuple(fc.constant('after' as const), name, fc.nat({ max: 50 })) },
    );
    const before = shuffled(numbered(2500));
    fc.assert(
      fc.property(fc.nat({ max: 2500 }), fc.array(step, { maxLength: 60 }), (count, steps) => {
        const [names, plain] = [sorted(...before.slice(0, count)), new PlainNames()];
        plain.names = before.slice(0, count).toSorted();
        for (const [what, at, limit = 0] of steps) {
          if (what === 'after') expect(names.after(at, limit)).toEqual(plain.after(at, limit));
          else {
            names[what](at);
            plain[what](at);
            expect(names.size).toBe(plain.names.length);
          }
        }
        expect(names.after(undefined, Infinity)).toEqual(plain.names);
      }),
      { numRuns: 50 },
    );
  });

  test('interleaved by the thousand stay like a plain sorted list', () => {
    const names = new SortedNames();
    const expected = new Set<string>();
    for (const [i, name] of shuffled(numbered(4000)).entries()) {
      names.add(name);
      expected.add(name);
      if (i % 3 === 0) {
        const [other] = names.after(name, 1);
        if (other !== undefined) {
          names.delete(other);
          expected.delete(other);
        }
      }
    }
    expect(names.size).toBe(expected.size);
    expect(names.after(undefined, Infinity)).toEqual([...expected].toSorted());
  });
});

describe('names after another', () => {
  const names = sorted(...numbered(1000));

  test.each([
    ['all', undefined, undefined, numbered(1000)],
    ['the first ones', undefined, 3, numbered(3)],
    ['some further on', 'tag-00500', 2, ['tag-00501', 'tag-00502']],
    ['as many as a batch and one', 'tag-00000', 129, numbered(130).slice(1)],
    ['none', undefined, 0, []],
    ['none for a negative limit', undefined, -1, []],
    ['none after the last', 'tag-00999', undefined, []],
  ])('are %s', async (_what, startAfter, limit, expected) => {
    expect(await collect(namesAfter(() => names, { startAfter, limit }))).toEqual(expected);
  });

  test('are none where there are no names', async () => {
    expect(await collect(namesAfter(() => undefined))).toEqual([]);
  });

  test('are each seen once, although others are added and removed meanwhile', async () => {
    const changing = sorted(...numbered(1000));
    const seen: string[] = [];
    for await (const name of namesAfter(() => changing)) {
      seen.push(name);
      changing.delete(name);
      changing.add(`${name}-seen`.replace('tag', 'a'));
      if (name === 'tag-00500') changing.add('tag-00999.5');
    }
    expect(seen).toEqual([...numbered(1000), 'tag-00999.5']);
  });

  test('end when the names are gone', async () => {
    let there: SortedNames | undefined = sorted(...numbered(1000));
    const seen: string[] = [];
    for await (const name of namesAfter(() => there)) {
      seen.push(name);
      there = undefined;
    }
    expect(seen.length).toBeLessThan(1000);
    expect(seen).toEqual(numbered(seen.length));
  });
});
