import { describe, expect, test } from 'vitest';

import { collect, RegistryError } from '../../model/index.ts';
import type { ListOptions } from '../../model/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { randomBlob } from '../../testing/index.ts';

import { mergedList } from './merged-list.ts';
import type { OpenList } from './merged-list.ts';

/** A list that tells how far it was read, what it was opened with, and whether it was left. */
interface Seen {
  open: OpenList<string, ListOptions>;
  opened: ListOptions[];
  taken: string[];
  left: boolean;
}

function seen(items: readonly string[], failure?: Error): Seen {
  const list: Seen = {
    opened: [],
    taken: [],
    left: false,
    open(options) {
      list.opened.push(options);
      return (async function* read() {
        try {
          for (const item of items) {
            list.taken.push(item);
            yield item;
          }
          if (failure !== undefined) throw failure;
        } finally {
          list.left = true;
        }
      })();
    },
  };
  return list;
}

const opens = (lists: readonly Seen[]): OpenList<string, ListOptions>[] => lists.map(({ open }) => open);
const nameUnknown = (): RegistryError => new RegistryError('NAME_UNKNOWN', 'no such repository');

/** A list whose registry does not answer until its signal is aborted. */
const silent: OpenList<string, ListOptions> = ({ signal }) => ({
  [Symbol.asyncIterator]: () => ({
    next: () =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error));
      }),
  }),
});

describe('a merged list', () => {
  test('is in byte order, and has each item once', async () => {
    const lists = [['B', 'a', 'b', 'z'], [], ['a', 'a0', 'b'], ['Z', 'a', 'c']];
    const expected = [...new Set(lists.flat())].toSorted();
    expect(await collect(mergedList(opens(lists.map((items) => seen(items))), {}))).toEqual(expected);
  });

  test('of no lists is empty', async () => {
    expect(await collect(mergedList<ListOptions>([], {}))).toEqual([]);
  });

  test.each([0, 1, 2, 3, 5, 100])(
    'has at most %i items if that is its limit, whatever the lists have',
    async (limit) => {
      const lists = [seen(['a', 'c', 'e']), seen(['a', 'b', 'c', 'd'])];
      const all = ['a', 'b', 'c', 'd', 'e'];
      expect(await collect(mergedList(opens(lists), { limit }))).toEqual(all.slice(0, limit));
      for (const list of lists) {
        expect(list.opened).toMatchObject([{ limit }]);
        expect(list.left).toBe(true);
      }
    },
  );

  test('opens nothing before it is read, and reads no list further ahead than one item', async () => {
    const lists = [seen(['a', 'd', 'e']), seen(['b', 'c', 'x']), seen(['b', 'y'])];
    const merged = mergedList(opens(lists), {});
    expect(lists.map(({ opened }) => opened.length)).toEqual([0, 0, 0]);
    await merged.next();
    expect(lists.map(({ taken }) => taken)).toEqual([['a'], ['b'], ['b']]);
    expect(await merged.next()).toMatchObject({ value: 'b' });
    expect(lists.map(({ taken }) => taken)).toEqual([['a', 'd'], ['b'], ['b']]);
    await merged.return();
    expect(lists.map(({ left }) => left)).toEqual([true, true, true]);
  });

  test('reads nothing after the last item of its limit', async () => {
    const lists = [seen(['a', 'b', 'c']), seen(['b', 'd'])];
    expect(await collect(mergedList(opens(lists), { limit: 2 }))).toEqual(['a', 'b']);
    expect(lists.map(({ taken }) => taken)).toEqual([['a', 'b'], ['b']]);
  });

  test('begins after a name that need not exist', async () => {
    const [a, b] = [createMemoryRegistry(), createMemoryRegistry()];
    const { descriptor, bytes } = randomBlob(10);
    for (const name of ['a', 'b', 'd']) await a.pushBlob(name, descriptor, bytes);
    for (const name of ['b', 'c', 'e']) await b.pushBlob(name, descriptor, bytes);
    const list = (options: ListOptions): Promise<string[]> =>
      collect(
        mergedList(
          [a, b].map((registry) => (each) => registry.repositories(each)),
          options,
        ),
      );
    expect(await list({ startAfter: 'b' })).toEqual(['c', 'd', 'e']);
    expect(await list({ startAfter: 'bb', limit: 2 })).toEqual(['c', 'd']);
    expect(await list({ startAfter: 'e' })).toEqual([]);
  });

  test('puts items of the same key together, in the order of their lists', async () => {
    const list = (text: string): OpenList<{ name: string; from: string }, ListOptions> =>
      async function* read() {
        for (const name of text.slice(1)) yield { name, from: text.charAt(0) };
      };
    const merged = mergedList(
      [list('1ac'), list('2abc'), list('3c')],
      {},
      {
        key: ({ name }) => name,
        combine: (items) => ({ name: items[0].name, from: items.map(({ from }) => from).join('') }),
      },
    );
    expect(await collect(merged)).toEqual([
      { name: 'a', from: '12' },
      { name: 'b', from: '2' },
      { name: 'c', from: '123' },
    ]);
  });

  test('keeps the item of the first list if it is given no way to combine items', async () => {
    const list = (from: number): OpenList<{ key: string; from: number }, ListOptions> =>
      async function* read() {
        yield { key: 'a', from };
      };
    const merged = mergedList([list(1), list(2)], {}, { key: ({ key }) => key });
    expect(await collect(merged)).toEqual([{ key: 'a', from: 1 }]);
  });
});

describe('a merged list with one list that fails', () => {
  test('takes an unknown repository in one registry for an empty list', async () => {
    expect(await collect(mergedList(opens([seen([], nameUnknown()), seen(['a'])]), {}))).toEqual(['a']);
    expect(await collect(mergedList(opens([seen([]), seen([], nameUnknown())]), {}))).toEqual([]);
  });

  test.each([undefined, 0, 3])('fails with NAME_UNKNOWN if none knows the repository, with limit %s', async (limit) => {
    const [first, second] = [nameUnknown(), nameUnknown()];
    const merged = mergedList(opens([seen([], first), seen([], second)]), { limit });
    await expect(collect(merged)).rejects.toBe(first);
  });

  test('continues with the others if a repository is deleted in the middle', async () => {
    const lists = [seen(['a'], nameUnknown()), seen(['b', 'c'])];
    expect(await collect(mergedList(opens(lists), {}))).toEqual(['a', 'b', 'c']);
  });

  test('fails with any other error, at once, and closes the others', async () => {
    const error = new RegistryError('UNAVAILABLE', 'down');
    const list = seen(['a', 'b']);
    await expect(collect(mergedList([list.open, seen([], error).open], {}))).rejects.toBe(error);
    expect(list.left).toBe(true);
    await expect(collect(mergedList([silent, seen([], error).open], {}))).rejects.toBe(error);
  });

  test('gives the items before an error in the middle', async () => {
    const error = new Error('cut');
    const merged = mergedList(opens([seen(['a'], error), seen(['a', 'b'])]), {});
    expect(await merged.next()).toMatchObject({ value: 'a' });
    await expect(merged.next()).rejects.toBe(error);
  });
});

describe('the signal of a merged list', () => {
  test('ends it before it begins, between two items and while it waits', async () => {
    const reason = new Error('no longer wanted');
    await expect(collect(mergedList([silent], { signal: AbortSignal.abort(reason) }))).rejects.toBe(reason);

    const between = new AbortController();
    const merged = mergedList(opens([seen(['a', 'b'])]), { signal: between.signal });
    await merged.next();
    between.abort(reason);
    await expect(merged.next()).rejects.toBe(reason);

    const waiting = new AbortController();
    const next = mergedList([silent, seen(['a']).open], { signal: waiting.signal }).next();
    setTimeout(() => waiting.abort(reason), 5);
    await expect(next).rejects.toBe(reason);
  });

  test('is linked to the signal of each list until the list ends, and to none afterwards', async () => {
    const { signal } = new AbortController();
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--;
      remove(...args);
    };
    const list = seen(['a', 'b']);
    for await (const item of mergedList([list.open], { signal })) {
      expect([item, listeners]).toEqual(['a', 1]);
      break;
    }
    expect(listeners).toBe(0);
    expect(list.opened[0]?.signal?.aborted).toBe(true);
  });
});
