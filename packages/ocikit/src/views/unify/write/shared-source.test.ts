import { describe, expect, test } from 'vitest';

import { readSource } from '../../../model/index.ts';
import type { BlobSource } from '../../../model/index.ts';

import { shareSource } from './shared-source.ts';

/**
 * A source of numbered pieces that tells how many were taken and whether it was left. Its buffer is always the same.
 */
function counting(count: number): AsyncIterable<Uint8Array> & { taken: number; left: boolean } {
  const buffer = new Uint8Array(1);
  return {
    taken: 0,
    left: false,
    async *[Symbol.asyncIterator]() {
      try {
        while (this.taken < count) {
          buffer[0] = ++this.taken;
          yield buffer;
        }
      } finally {
        this.left = true;
      }
    },
  };
}

async function read(source: BlobSource | undefined, most = Infinity): Promise<number[]> {
  const found: number[] = [];
  for await (const piece of readSource(source ?? new Uint8Array())) {
    found.push(...piece);
    if (found.length >= most) break;
  }
  return found;
}

const moment = (milliseconds = 5): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
const oneTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

describe('a source with several readers', () => {
  test('gives each of them all bytes, also if it reuses its buffer', async () => {
    const source = counting(100);
    const { sources } = shareSource(source, 3);
    expect(await Promise.all(sources.map((each) => read(each)))).toEqual([oneTo(100), oneTo(100), oneTo(100)]);
    expect(source.left).toBe(true);
  });

  test('is read no further than the slowest one asks for', async () => {
    const source = counting(100);
    const { sources } = shareSource(source, 2);
    const fast = read(sources[0]);
    const slow = readSource(sources[1] ?? new Uint8Array());
    await moment();
    expect(source.taken).toBe(0);
    for (const expected of oneTo(5)) {
      expect((await slow.next()).value).toEqual(Uint8Array.of(expected));
      await moment();
      expect(source.taken).toBe(expected);
    }
    while ((await slow.next()).done !== true);
    expect(await fast).toEqual(oneTo(100));
  });

  test('is not delayed by a reader that leaves early, never begins or ends without reading', async () => {
    const source = counting(10);
    const branches = shareSource(source, 3);
    const [all, some] = [read(branches.sources[0]), read(branches.sources[1], 2)];
    await moment();
    branches.leave(2);
    expect(await some).toEqual([1, 2]);
    expect(await all).toEqual(oneTo(10));
  });

  test('is closed with the last one, also while it hangs', async () => {
    const source = counting(10);
    const { sources } = shareSource(source, 2);
    await Promise.all(sources.map((each) => read(each, 1)));
    await moment();
    expect([source.taken, source.left]).toEqual([1, true]);

    let signalled = false;
    const hanging: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => undefined),
        async return() {
          signalled = true;
          return { done: true, value: undefined };
        },
      }),
    };
    const branches = shareSource(hanging, 2);
    const reading = Promise.all(branches.sources.map((each) => read(each)));
    await moment();
    branches.leave(0);
    branches.leave(1);
    expect(await reading).toEqual([[], []]);
    await moment();
    expect(signalled).toBe(true);
  });

  test('fails for all of them with its own error', async () => {
    const error = new Error('the network is gone');
    const branches = shareSource(
      (async function* failing() {
        yield Uint8Array.of(1);
        throw error;
      })(),
      2,
    );
    const results = await Promise.allSettled(branches.sources.map((each) => read(each)));
    expect(results.map((result) => 'reason' in result && result.reason === error)).toEqual([true, true]);
    expect(branches.failure).toEqual({ error });
  });

  test('ends with the signal, also while it hangs', async () => {
    const controller = new AbortController();
    const { sources } = shareSource(
      { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => undefined) }) },
      2,
      { signal: controller.signal },
    );
    const reading = Promise.allSettled(sources.map((each) => read(each)));
    await moment();
    const reason = new Error('no longer wanted');
    controller.abort(reason);
    expect((await reading).map((result) => 'reason' in result && result.reason === reason)).toEqual([true, true]);
  });
});

describe('a source that can be read again', () => {
  test('is handed on as it is if it is bytes or a Blob', () => {
    for (const source of [new Uint8Array(3), new Blob(['abc'])]) {
      expect(shareSource(source, 2).sources).toEqual([source, source]);
    }
  });

  test('is opened once for all readers, and again for a reader that starts over', async () => {
    let opened = 0;
    const { sources } = shareSource(() => {
      opened++;
      return counting(5);
    }, 2);
    const [first, second] = sources;
    expect(await Promise.all([read(first), read(second, 2)])).toEqual([oneTo(5), [1, 2]]);
    expect(opened).toBe(1);
    expect(await read(second)).toEqual(oneTo(5));
    expect(opened).toBe(2);
  });
});

describe('a reader that does not begin while the others wait', () => {
  test('is left out after a while, and gets an error instead of an early end', async () => {
    const late: number[] = [];
    const { sources } = shareSource(counting(5), 3, { patience: 20, onLate: (i) => late.push(i) });
    expect(await Promise.all([read(sources[0]), read(sources[2])])).toEqual([oneTo(5), oneTo(5)]);
    expect(late).toEqual([1]);
    await expect(read(sources[1])).rejects.toThrow('did not begin in time');
  });

  test('opens the source by itself if it can', async () => {
    const late: number[] = [];
    const { sources } = shareSource(() => counting(5), 2, { patience: 20, onLate: (i) => late.push(i) });
    expect(await read(sources[0])).toEqual(oneTo(5));
    expect(await read(sources[1])).toEqual(oneTo(5));
    expect(late).toEqual([]);
  });

  test('is waited for once it has begun, however slow it is', async () => {
    const late: number[] = [];
    const { sources } = shareSource(counting(3), 2, { patience: 10, onLate: (i) => late.push(i) });
    const fast = read(sources[0]);
    const slow = readSource(sources[1] ?? new Uint8Array());
    await slow.next();
    await moment(40);
    while ((await slow.next()).done !== true) await moment(40);
    expect(await fast).toEqual(oneTo(3));
    expect(late).toEqual([]);
  });
});
