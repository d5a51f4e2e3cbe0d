import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { collect, limit, merge } from './iteration.ts';

const broken = new Error('the list broke off');

interface Observed<T> extends AsyncIterable<T> {
  taken: number;
  closed: boolean;
}

/** Items that tell how many were taken and whether the iteration was ended; with an error, they end in it. */
function listOf<T>(items: readonly T[], error?: Error): Observed<T> {
  const list: Observed<T> = {
    taken: 0,
    closed: false,
    async *[Symbol.asyncIterator]() {
      try {
        for (const item of items) {
          list.taken++;
          yield item;
        }
        if (error !== undefined) throw error;
      } finally {
        list.closed = true;
      }
    },
  };
  return list;
}

/** The items before the end or the error. */
async function drain<T>(items: AsyncIterable<T>): Promise<{ items: T[]; error: unknown }> {
  const all: T[] = [];
  try {
    for await (const item of items) all.push(item);
    return { items: all, error: undefined };
  } catch (error) {
    return { items: all, error };
  }
}

describe('collecting', () => {
  test('gives all items in their order', async () => {
    expect(await collect(listOf([3, 1, 2]))).toEqual([3, 1, 2]);
    expect(await collect(listOf([]))).toEqual([]);
  });

  test('rejects if the sequence fails, and drops what came before', async () => {
    await expect(collect(listOf([1, 2], broken))).rejects.toBe(broken);
  });
});

describe('limiting', () => {
  test.each([
    [undefined, [1, 2, 3]],
    [5, [1, 2, 3]],
    [3, [1, 2, 3]],
    [2, [1, 2]],
    [1, [1]],
    [0, []],
    [-1, []],
  ])('to %s of three gives %j', async (count, expected) => {
    expect(await collect(limit(listOf([1, 2, 3]), count))).toEqual(expected);
  });

  test('takes no more than it gives, and ends the sequence', async () => {
    const list = listOf([1, 2, 3]);
    await collect(limit(list, 2));
    expect(list).toMatchObject({ taken: 2, closed: true });
  });

  test('to none does not touch the sequence', async () => {
    const list = listOf([1], broken);
    expect(await collect(limit(list, 0))).toEqual([]);
    expect(list.taken).toBe(0);
  });

  test.each([undefined, 5])('to %s passes an error on after what came before', async (count) => {
    expect(await drain(limit(listOf([1, 2], broken), count))).toEqual({ items: [1, 2], error: broken });
  });

  test('does not see an error behind the limit', async () => {
    expect(await drain(limit(listOf([1, 2], broken), 2))).toEqual({ items: [1, 2], error: undefined });
  });

  test.each([undefined, 3])('to %s ends the sequence when it is left', async (count) => {
    const list = listOf([1, 2, 3]);
    for await (const _item of limit(list, count)) break;
    expect(list).toMatchObject({ taken: 1, closed: true });
  });
});

describe('merging', () => {
  test.each<[string[][], string[]]>([
    [[], []],
    [[[]], []],
    [[[], []], []],
    [[['a', 'b']], ['a', 'b']],
    [
      [
        ['a', 'c'],
        ['b', 'd'],
      ],
      ['a', 'b', 'c', 'd'],
    ],
    [
      [['a', 'b'], ['a', 'b'], ['b']],
      ['a', 'b'],
    ],
    [
      [
        ['a', 'a', 'b', 'b'],
        ['a', 'c', 'c'],
      ],
      ['a', 'b', 'c'],
    ],
    [
      [
        ['', 'Z', '_', 'a'],
        ['9', 'ab'],
      ],
      ['', '9', 'Z', '_', 'a', 'ab'],
    ],
  ])('%j gives %j', async (lists, expected) => {
    expect(await collect(merge(lists.map((list) => listOf(list))))).toEqual(expected);
  });

  test('gives what sorting and removing duplicates gives', async () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'b', 'Z', '0', '-', '.', '_', '/'), maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(name, { maxLength: 20 }), { maxLength: 6 }), async (lists) => {
        const sorted = lists.map((list) => list.toSorted());
        expect(await collect(merge(sorted.map((list) => listOf(list))))).toEqual([...new Set(lists.flat())].toSorted());
      }),
    );
  });

  test('by an order of one’s own keeps the one of the first sequence that has it', async () => {
    const entry = (key: number, from: string): { key: number; from: string } => ({ key, from });
    const first = [entry(1, 'first'), entry(3, 'first')];
    const second = [entry(1, 'second'), entry(2, 'second'), entry(3, 'second')];
    expect(await collect(merge([listOf(first), listOf(second)], (a, b) => a.key - b.key))).toEqual([
      entry(1, 'first'),
      entry(2, 'second'),
      entry(3, 'first'),
    ]);
  });

  test('reads no further ahead than one item of each', async () => {
    const lists = [listOf(['a', 'd', 'e']), listOf(['b', 'f']), listOf(['c', 'g'])];
    const merged = merge(lists);
    await merged.next();
    expect(lists.map(({ taken }) => taken)).toEqual([1, 1, 1]);
    await merged.next();
    expect(lists.map(({ taken }) => taken)).toEqual([2, 1, 1]);
  });

  test('fails when one of them fails, and ends the others', async () => {
    const lists = [listOf(['a', 'd']), listOf(['b'], broken), listOf(['c', 'e'])];
    expect(await drain(merge(lists))).toEqual({ items: ['a', 'b'], error: broken });
    expect(lists.map(({ closed }) => closed)).toEqual([true, true, true]);
  });

  test('fails at once when one of them cannot begin, and ends the others', async () => {
    const lists = [listOf(['a']), listOf([], broken)];
    expect(await drain(merge(lists))).toEqual({ items: [], error: broken });
    expect(lists.map(({ closed }) => closed)).toEqual([true, true]);
  });

  test('ends all of them when it is left', async () => {
    const lists = [listOf(['a', 'c']), listOf(['b', 'd']), listOf<string>([])];
    for await (const _item of merge(lists)) break;
    expect(lists.map(({ closed }) => closed)).toEqual([true, true, true]);
  });

  test('does not mind a sequence that cannot be ended', async () => {
    const endless: AsyncIterable<string> = {
      [Symbol.asyncIterator]: () => ({ next: async () => ({ done: false, value: 'z' }) }),
    };
    const failing: AsyncIterable<string> = {
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: false, value: 'y' }),
        return: () => Promise.reject(broken),
      }),
    };
    expect(await drain(limit(merge([endless, failing, listOf(['x'])]), 2))).toEqual({
      items: ['x', 'y'],
      error: undefined,
    });
  });
});
