import { describe, expect, test } from 'vitest';

import { readSource } from './source.ts';
import type { BlobSource } from './source.ts';

const encode = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const reason = new Error('the caller has left');

async function textOf(source: BlobSource, signal?: AbortSignal): Promise<string> {
  let text = '';
  for await (const piece of readSource(source, signal)) text += new TextDecoder().decode(piece);
  return text;
}

/** Pieces that tell whether the reading was ended. */
function iterable(...texts: string[]): AsyncIterable<Uint8Array> & { closed: boolean } {
  const source = {
    closed: false,
    async *[Symbol.asyncIterator]() {
      try {
        for (const text of texts) yield encode(text);
      } finally {
        source.closed = true;
      }
    },
  };
  return source;
}

/** A stream that tells why it was cancelled; it hangs after its texts if it does not close. */
function streamOf(texts: string[], closes = true): { stream: ReadableStream<Uint8Array>; cancelled: () => boolean } {
  let cancelled = false;
  const rest = [...texts];
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const text = rest.shift();
        if (text !== undefined) controller.enqueue(encode(text));
        else if (closes) controller.close();
        else return new Promise(() => undefined);
        return undefined;
      },
      cancel() {
        cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, cancelled: () => cancelled };
}

/** An iterable that gives one piece and then nothing, ever. */
function hanging(): AsyncIterable<Uint8Array> {
  return {
    async *[Symbol.asyncIterator]() {
      yield encode('a');
      await new Promise(() => undefined);
    },
  };
}

const sources: [string, () => BlobSource][] = [
  ['bytes', () => encode('abc')],
  ['a Blob', () => new Blob(['a', 'bc'])],
  ['an AsyncIterable', () => iterable('a', 'bc')],
  ['a ReadableStream', () => streamOf(['a', 'bc']).stream],
];

describe.each(sources)('a source that is %s', (_kind, make) => {
  test('gives its bytes', async () => {
    expect(await textOf(make())).toBe('abc');
    expect(await textOf(make(), new AbortController().signal)).toBe('abc');
  });

  test('may come from a function, at once or later, again for each attempt', async () => {
    const open = (): ReturnType<typeof make> => make();
    expect(await textOf(open as BlobSource)).toBe('abc');
    expect(await textOf((async () => make()) as BlobSource)).toBe('abc');
    expect(await textOf(open as BlobSource)).toBe('abc');
  });

  test('is not read if the signal was aborted before', async () => {
    let opened = false;
    const source = (() => {
      opened = true;
      return make();
    }) as BlobSource;
    await expect(textOf(source, AbortSignal.abort(reason))).rejects.toBe(reason);
    await expect(textOf(make(), AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(opened).toBe(false);
  });
});

describe('reading a source', () => {
  test('gives no empty piece for no bytes', async () => {
    const pieces: Uint8Array[] = [];
    for await (const piece of readSource(new Uint8Array())) pieces.push(piece);
    expect(pieces).toEqual([]);
  });

  test('rejects with the error of the function that should open it', async () => {
    const open = (): Promise<never> => Promise.reject(reason);
    await expect(textOf(open)).rejects.toBe(reason);
  });

  test('rejects with the error of the source, after what came before', async () => {
    for (const signal of [undefined, new AbortController().signal]) {
      const failing = new ReadableStream<Uint8Array>({
        pull(controller) {
          controller.error(reason);
        },
      });
      await expect(textOf(failing, signal)).rejects.toBe(reason);
      const got: number[] = [];
      const breaking: AsyncIterable<Uint8Array> = {
        async *[Symbol.asyncIterator]() {
          yield Uint8Array.of(1);
          throw reason;
        },
      };
      const read = async (): Promise<void> => {
        for await (const piece of readSource(breaking, signal)) got.push(...piece);
      };
      await expect(read()).rejects.toBe(reason);
      expect(got).toEqual([1]);
    }
  });

  test('cannot be done twice with a stream', async () => {
    const { stream } = streamOf(['a']);
    await textOf(stream);
    expect(await textOf(stream)).toBe('');
    const { stream: locked } = streamOf(['a']);
    locked.getReader();
    await expect(textOf(locked)).rejects.toThrow(TypeError);
  });

  test('leaves a stream unlocked when it has ended', async () => {
    const { stream } = streamOf(['a']);
    await textOf(stream);
    expect(stream.locked).toBe(false);
  });

  test.each([undefined, new AbortController().signal])(
    'cancels the source when it is left, signal: %s',
    async (signal) => {
      const pieces = iterable('a', 'b');
      for await (const _piece of readSource(pieces, signal)) break;
      expect(pieces.closed).toBe(true);

      const { stream, cancelled } = streamOf(['a', 'b']);
      for await (const _piece of readSource(stream, signal)) break;
      expect(cancelled()).toBe(true);
      expect(stream.locked).toBe(false);
    },
  );
});

describe('a signal', () => {
  test('ends the reading between two pieces, and the source', async () => {
    const [pieces, { stream, cancelled }] = [iterable('a', 'b', 'c'), streamOf(['a', 'b', 'c'])];
    for (const source of [pieces, stream]) {
      const controller = new AbortController();
      const read = async (): Promise<void> => {
        for await (const _piece of readSource(source, controller.signal)) controller.abort(reason);
      };
      await expect(read()).rejects.toBe(reason);
    }
    await new Promise(setImmediate);
    expect([pieces.closed, cancelled()]).toEqual([true, true]);
  });

  test('ends the waiting for a piece that never comes', async () => {
    const { stream, cancelled } = streamOf(['a'], false);
    for (const source of [hanging(), stream]) {
      const controller = new AbortController();
      setTimeout(() => controller.abort(reason), 5);
      await expect(textOf(source, controller.signal)).rejects.toBe(reason);
    }
    await new Promise(setImmediate);
    expect(cancelled()).toBe(true);
  });

  test('counts also when it is aborted while the last piece is used', async () => {
    const controller = new AbortController();
    const read = async (): Promise<void> => {
      for await (const _piece of readSource(iterable('a'), controller.signal)) controller.abort(reason);
    };
    await expect(read()).rejects.toBe(reason);
  });

  test('counts also when the source itself aborts it', async () => {
    const controller = new AbortController();
    const source: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({
        next() {
          controller.abort(reason);
          return new Promise(() => undefined);
        },
      }),
    };
    await expect(textOf(source, controller.signal)).rejects.toBe(reason);
  });

  test('keeps no listener after the reading', async () => {
    const { signal } = new AbortController();
    let listeners = 0;
    const counting = new Proxy(signal, {
      get(target, property) {
        if (property === 'addEventListener') listeners++;
        if (property === 'removeEventListener') listeners--;
        const value: unknown = Reflect.get(target, property);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    await textOf(iterable('a', 'b'), counting);
    for await (const _piece of readSource(iterable('a', 'b'), counting)) break;
    expect(listeners).toBe(0);
  });
});
