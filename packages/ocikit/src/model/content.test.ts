import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { createContent, resolveRange } from './content.ts';
import type { BlobContent, ByteRange, ByteReader, ContentSource, ResolvedRange } from './content.ts';
import type { Descriptor } from './descriptor.ts';
import { digestOf } from './digest.ts';
import { VerifyingReader } from './verifying-reader.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const alphabet = encode('abcdefghijklmnopqrstuvwxyz');

function descriptorOf(bytes: Uint8Array): Descriptor {
  return { mediaType: 'application/octet-stream', digest: digestOf(bytes), size: bytes.length };
}

function join(pieces: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(pieces.flatMap((piece) => [...piece]));
}

/** The five ways in which a content can be read. */
const ways: Record<string, (content: BlobContent) => Promise<Uint8Array>> = {
  async iterating(content) {
    const pieces: Uint8Array[] = [];
    for await (const piece of content) pieces.push(Uint8Array.from(piece));
    return join(pieces);
  },
  async lent(content) {
    const pieces: Uint8Array[] = [];
    for await (const piece of content.lent()) pieces.push(Uint8Array.from(piece));
    return join(pieces);
  },
  async stream(content) {
    return new Uint8Array(await new Response(content.stream()).arrayBuffer());
  },
  bytes: (content) => content.bytes(),
  async readInto(content) {
    const pieces: Uint8Array[] = [];
    for (const buffer = new Uint8Array(5); ;) {
      const count = await content.readInto(buffer);
      if (count === 0) return join(pieces);
      pieces.push(buffer.slice(0, count));
    }
  },
};

/** The requests that a source got. */
interface Observed {
  opened: number;
  closed: number;
  cancelled: number;
}

/** The three kinds of source of the same bytes, in pieces of the same lengths. */
const kinds: Record<string, (pieces: readonly Uint8Array[], observed?: Partial<Observed>) => ContentSource> = {
  pieces: (pieces) => ({ pieces }),
  open: (pieces, observed = {}) => ({
    async open(range) {
      observed.opened = (observed.opened ?? 0) + 1;
      return readerOf(cut(pieces, range), () => (observed.closed = (observed.closed ?? 0) + 1));
    },
  }),
  iterate: (pieces, observed = {}) => ({
    async *iterate(range) {
      observed.opened = (observed.opened ?? 0) + 1;
      try {
        yield* cut(pieces, range);
      } finally {
        observed.closed = (observed.closed ?? 0) + 1;
      }
    },
    async cancel() {
      observed.cancelled = (observed.cancelled ?? 0) + 1;
    },
  }),
};

function cut(pieces: readonly Uint8Array[], { start, end }: ResolvedRange): Uint8Array[] {
  let at = 0;
  return pieces
    .map((piece) => {
      const part = piece.slice(Math.max(start - at, 0), Math.max(end - at, 0));
      at += piece.length;
      return part;
    })
    .filter((piece) => piece.length > 0);
}

/** Gives each piece, or what of it fits, in a call of its own. */
function readerOf(pieces: Uint8Array[], onClose: () => void): ByteReader {
  return {
    async readInto(buffer) {
      const [piece] = pieces;
      if (piece === undefined) return 0;
      const part = piece.subarray(0, buffer.length);
      buffer.set(part);
      if (part.length === piece.length) pieces.shift();
      else pieces[0] = piece.subarray(part.length);
      return part.length;
    },
    async close() {
      onClose();
    },
  };
}

const everyWay = Object.entries(ways);
const everyKind = Object.entries(kinds);
const everyWayAndKind = everyKind.flatMap(([kind, sourceOf]) =>
  everyWay.map(([way, read]) => ({ kind, sourceOf, way, read })),
);
/** Sources that have something to let go of. */
const withResources = everyWayAndKind.filter(({ kind }) => kind !== 'pieces');

describe('resolving a range', () => {
  test.each<[ByteRange | undefined, ResolvedRange]>([
    [undefined, { start: 0, end: 10 }],
    [{ start: 0 }, { start: 0, end: 10 }],
    [{ start: 3 }, { start: 3, end: 10 }],
    [
      { start: 3, end: undefined },
      { start: 3, end: 10 },
    ],
    [
      { start: 3, end: 7 },
      { start: 3, end: 7 },
    ],
    [
      { start: 3, end: 3 },
      { start: 3, end: 3 },
    ],
    [
      { start: 3, end: 11 },
      { start: 3, end: 10 },
    ],
    [{ start: 10 }, { start: 10, end: 10 }],
    [{ start: 11 }, { start: 10, end: 10 }],
    [
      { start: 11, end: 20 },
      { start: 10, end: 10 },
    ],
    [
      { start: 0, end: Number.MAX_SAFE_INTEGER },
      { start: 0, end: 10 },
    ],
    [{ last: 3 }, { start: 7, end: 10 }],
    [{ last: 0 }, { start: 10, end: 10 }],
    [{ last: 11 }, { start: 0, end: 10 }],
  ])('%j of ten bytes is %j', (range, resolved) => {
    expect(resolveRange(range, 10)).toStrictEqual(resolved);
  });

  test.each<ByteRange>([
    { start: -1 },
    { start: 0.5 },
    { start: Number.NaN },
    { start: Infinity },
    { start: 2 ** 53 },
    { start: 0, end: -1 },
    { start: 0, end: 1.5 },
    { start: 0, end: Infinity },
    { start: 5, end: 4 },
    { start: 20, end: 19 },
    { last: -1 },
    { last: 0.5 },
    { last: Number.NaN },
    { last: Infinity },
  ])('%j is not a range, whatever the size', (range) => {
    for (const size of [0, 10]) {
      expect(() => resolveRange(range, size)).toThrow(expect.objectContaining({ code: 'RANGE_INVALID' }));
    }
  });

  test('gives what slice gives', () => {
    const position = fc.nat({ max: 40 });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), position, position, (bytes, a, b) => {
        const [start, end] = [Math.min(a, b), Math.max(a, b)];
        const of = (range: ByteRange): Uint8Array => {
          const resolved = resolveRange(range, bytes.length);
          expect(0 <= resolved.start && resolved.start <= resolved.end && resolved.end <= bytes.length).toBe(true);
          return bytes.subarray(resolved.start, resolved.end);
        };
        expect(of({ start, end })).toEqual(bytes.slice(start, end));
        expect(of({ start })).toEqual(bytes.slice(start));
        expect(of({ last: a })).toEqual(a === 0 ? new Uint8Array() : bytes.slice(-a));
      }),
    );
  });
});

describe('a content', () => {
  test('gives the same bytes, from whatever source, in whatever way and part it is read', async () => {
    const position = fc.nat({ max: 60 });
    const range = fc.oneof(
      fc.constant(undefined),
      fc.record({ start: position, length: position }).map(({ start, length }) => ({ start, end: start + length })),
      fc.record({ start: position }),
      fc.record({ last: position }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 5 }), range, async (pieces, part) => {
        const whole = join(pieces);
        const { start, end } = resolveRange(part, whole.length);
        for (const { sourceOf, read } of everyWayAndKind) {
          const content = createContent({ descriptor: descriptorOf(whole), range: part, source: sourceOf(pieces) });
          expect(content.range).toEqual({ start, end });
          expect(content.descriptor.size).toBe(whole.length);
          expect(await read(content)).toEqual(whole.slice(start, end));
        }
      }),
    );
  });

  test('hands pieces in memory on as they are, and cuts without copying', async () => {
    const pieces = [alphabet.subarray(0, 10), alphabet.subarray(10, 20), alphabet.subarray(20)];
    const content = createContent({ descriptor: descriptorOf(alphabet), source: { pieces }, range: { start: 5 } });
    const found: Uint8Array[] = [];
    for await (const piece of content) found.push(piece);
    expect(found.map(decode)).toEqual(['fghij', 'klmnopqrst', 'uvwxyz']);
    expect(found.every((piece) => piece.buffer === alphabet.buffer)).toBe(true);
    expect(found[1]).toBe(pieces[1]);
  });

  test.each(everyKind)('of the source kind "%s" says how it is best read', (kind, sourceOf) => {
    const content = createContent({ descriptor: descriptorOf(alphabet), source: sourceOf([alphabet]) });
    expect(content.form).toBe(kind === 'open' ? 'buffer' : 'pieces');
  });

  test('reads a large file in pieces, not in one', async () => {
    const size = 1_000_000;
    const lengths: number[] = [];
    const reader: ByteReader = {
      readInto: async (buffer) => buffer.length,
      close: async () => undefined,
    };
    const descriptor = { ...descriptorOf(alphabet), size };
    for await (const piece of createContent({ descriptor, source: { open: async () => reader } })) {
      lengths.push(piece.length);
    }
    expect(Math.max(...lengths)).toBeLessThan(size / 2);
    expect(lengths.reduce((sum, length) => sum + length)).toBe(size);
  });

  test.each(everyWayAndKind)('from "$kind" can be read by $way only once', async ({ sourceOf, read }) => {
    const content = createContent({ descriptor: descriptorOf(alphabet), source: sourceOf([alphabet]) });
    await read(content);
    for (const [, again] of everyWay.filter(([way]) => way !== 'readInto')) {
      await expect(again(content)).rejects.toThrow(TypeError);
    }
  });

  test.each(everyKind)('from "%s" cannot be read in two ways, which would mix them up', async (_kind, sourceOf) => {
    const half = createContent({ descriptor: descriptorOf(alphabet), source: sourceOf([alphabet]) });
    expect(await half.readInto(new Uint8Array(13))).toBe(13);
    await expect(half.bytes()).rejects.toThrow(TypeError);

    const begun = createContent({ descriptor: descriptorOf(alphabet), source: sourceOf([alphabet, alphabet]) });
    await begun[Symbol.asyncIterator]().next();
    await expect(begun.readInto(new Uint8Array(13))).rejects.toThrow(TypeError);
  });

  test('fills a buffer of no bytes with none, and goes on', async () => {
    const content = createContent({ descriptor: descriptorOf(alphabet), source: { pieces: [alphabet] } });
    expect(await content.readInto(new Uint8Array())).toBe(0);
    expect(await content.readInto(new Uint8Array(100))).toBe(26);
    expect(await content.readInto(new Uint8Array(100))).toBe(0);
    expect(await content.readInto(new Uint8Array(100))).toBe(0);
  });

  test('is refused with a malformed range', () => {
    const source = { pieces: [alphabet] };
    expect(() => createContent({ descriptor: descriptorOf(alphabet), source, range: { start: -1 } })).toThrow(
      expect.objectContaining({ code: 'RANGE_INVALID' }),
    );
  });
});

describe('a source that is not what it says', () => {
  const short = { ...descriptorOf(alphabet), size: 30 };

  test.each(everyWayAndKind)('is found out if it ends too early: "$kind" read by $way', async ({ sourceOf, read }) => {
    const content = createContent({ descriptor: short, source: sourceOf([alphabet]) });
    await expect(read(content)).rejects.toMatchObject({ code: 'SIZE_INVALID' });
  });

  test.each(everyWay)('is found out if it gives more than the content has: read by %s', async (_way, read) => {
    const descriptor = { ...descriptorOf(alphabet), size: 20 };
    async function* iterate(): AsyncGenerator<Uint8Array> {
      yield alphabet.subarray(0, 20);
      yield alphabet.subarray(20);
    }
    await expect(read(createContent({ descriptor, source: { iterate } }))).rejects.toMatchObject({
      code: 'SIZE_INVALID',
    });
  });

  test.each(everyWay)('is found out if it gives more than was asked for: read by %s', async (_way, read) => {
    async function* iterate(): AsyncGenerator<Uint8Array> {
      yield alphabet.subarray(5);
    }
    const content = createContent({
      descriptor: descriptorOf(alphabet),
      range: { start: 5, end: 9 },
      source: { iterate },
    });
    await expect(read(content)).rejects.toMatchObject({ code: 'SIZE_INVALID' });
  });

  test.each(everyWay)('is found out by a reader that verifies it, also at its end: read by %s', async (_way, read) => {
    const descriptor = descriptorOf(alphabet);
    const wrong = Uint8Array.from(alphabet);
    wrong[25] = 0;
    async function* pieces(): AsyncGenerator<Uint8Array> {
      yield wrong;
    }
    const content = createContent({
      descriptor,
      source: { iterate: () => new VerifyingReader(pieces(), descriptor) },
    });
    await expect(read(content)).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
  });

  test.each(everyWay)('passes on its own error: read by %s', async (_way, read) => {
    const broken = new Error('the disk is gone');
    const observed: Partial<Observed> = {};
    const failing: ContentSource[] = [
      { open: () => Promise.reject(broken) },
      {
        open: async () => ({
          readInto: () => Promise.reject(broken),
          async close() {
            observed.closed = (observed.closed ?? 0) + 1;
          },
        }),
      },
      {
        iterate: () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(broken) }) }),
      },
    ];
    for (const source of failing) {
      await expect(read(createContent({ descriptor: descriptorOf(alphabet), source }))).rejects.toBe(broken);
    }
    expect(observed.closed).toBe(1);
  });
});

describe('a content holds nothing open', () => {
  test.each(everyKind)('before it is read: "%s"', async (_kind, sourceOf) => {
    const observed: Partial<Observed> = {};
    createContent({ descriptor: descriptorOf(alphabet), source: sourceOf([alphabet], observed) });
    await Promise.resolve();
    expect(observed).toEqual({});
  });

  test.each(everyWay)('if the part is empty: no file is opened, read by %s', async (_way, read) => {
    const observed: Partial<Observed> = {};
    const source = kinds['open']?.([alphabet], observed) ?? { pieces: [] };
    const content = createContent({ descriptor: descriptorOf(alphabet), range: { start: 26 }, source });
    await content.open();
    expect(await read(content)).toHaveLength(0);
    expect(observed).toEqual({});
  });

  test.each(withResources)('after it was read to its end: "$kind" read by $way', async ({ sourceOf, read }) => {
    const observed: Partial<Observed> = {};
    const content = createContent({ descriptor: descriptorOf(alphabet), source: sourceOf([alphabet], observed) });
    await read(content);
    expect(observed).toEqual({ opened: 1, closed: 1 });
    await content.cancel();
    expect(observed).toEqual({ opened: 1, closed: 1 });
  });

  test.each(withResources)('after it failed: "$kind" read by $way', async ({ sourceOf, read }) => {
    const observed: Partial<Observed> = {};
    const descriptor = { ...descriptorOf(alphabet), size: 30 };
    await expect(read(createContent({ descriptor, source: sourceOf([alphabet], observed) }))).rejects.toThrow();
    expect(observed).toMatchObject({ opened: 1, closed: 1 });
  });

  test.each(everyKind)('after an iteration was left: "%s"', async (kind, sourceOf) => {
    const observed: Partial<Observed> = {};
    const pieces = [alphabet.subarray(0, 3), alphabet.subarray(3)];
    const content = createContent({ descriptor: descriptorOf(alphabet), source: sourceOf(pieces, observed) });
    for await (const _piece of content) break;
    if (kind === 'pieces') expect(observed).toEqual({});
    else expect(observed).toMatchObject({ opened: 1, closed: 1 });
  });

  test.each(everyKind)('after its stream was cancelled: "%s"', async (kind, sourceOf) => {
    const observed: Partial<Observed> = {};
    const pieces = [alphabet.subarray(0, 3), alphabet.subarray(3)];
    const content = createContent({ descriptor: descriptorOf(alphabet), source: sourceOf(pieces, observed) });
    const reader = content.stream().getReader();
    await reader.read();
    await reader.cancel();
    if (kind === 'pieces') expect(observed).toEqual({});
    else expect(observed).toMatchObject({ opened: 1, closed: 1 });
  });

  test('after it was cancelled between two reads', async () => {
    for (const [kind, sourceOf] of everyKind) {
      const observed: Partial<Observed> = {};
      const content = createContent({ descriptor: descriptorOf(alphabet), source: sourceOf([alphabet], observed) });
      await content.readInto(new Uint8Array(3));
      await content.cancel();
      await content.cancel();
      if (kind === 'open') expect(observed).toEqual({ opened: 1, closed: 1 });
      if (kind === 'iterate') expect(observed).toEqual({ opened: 1, closed: 1, cancelled: 1 });
      await expect(content.readInto(new Uint8Array(3))).rejects.toThrow(TypeError);
    }
  });
});

describe('opening a content', () => {
  test('opens a file once and reads on from it', async () => {
    const observed: Partial<Observed> = {};
    const source = kinds['open']?.([alphabet], observed) ?? { pieces: [] };
    const content = createContent({ descriptor: descriptorOf(alphabet), source });
    await content.open();
    await content.open();
    expect(observed).toEqual({ opened: 1 });
    expect(await content.bytes()).toEqual(alphabet);
    expect(observed).toEqual({ opened: 1, closed: 1 });
  });

  test('rejects if it cannot be read, before an answer has begun', async () => {
    const broken = new Error('the disk is gone');
    const source = { open: () => Promise.reject(broken) };
    await expect(createContent({ descriptor: descriptorOf(alphabet), source }).open()).rejects.toBe(broken);
  });

  test('touches nothing that arrives by itself or is in memory', async () => {
    for (const kind of ['pieces', 'iterate']) {
      const observed: Partial<Observed> = {};
      const source = kinds[kind]?.([alphabet], observed) ?? { pieces: [] };
      const content = createContent({ descriptor: descriptorOf(alphabet), source });
      await content.open();
      expect(observed).toEqual({});
      expect(await content.bytes()).toEqual(alphabet);
    }
  });

  test('rejects after the content was cancelled', async () => {
    const content = createContent({ descriptor: descriptorOf(alphabet), source: { pieces: [alphabet] } });
    await content.cancel();
    await expect(content.open()).rejects.toThrow(TypeError);
  });

  test('releases a reader that was opened for a content that was cancelled meanwhile', async () => {
    const opening = gate<ByteReader>();
    let closed = 0;
    const content = createContent({ descriptor: descriptorOf(alphabet), source: { open: () => opening.promise } });
    const opened = content.open();
    await content.cancel();
    opening.resolve(readerOf([alphabet], () => closed++));
    await expect(opened).rejects.toThrow(TypeError);
    expect(closed).toBe(1);
  });
});

describe('cancelling', () => {
  test('tells a source that is opened on demand, once, if it was not', async () => {
    let cancelled = 0;
    const observed: Partial<Observed> = {};
    const cancel = async (): Promise<void> => void cancelled++;
    const open = async (): Promise<ByteReader> => {
      observed.opened = (observed.opened ?? 0) + 1;
      return readerOf([alphabet], () => (observed.closed = (observed.closed ?? 0) + 1));
    };
    const source = (): ContentSource => ({ open, cancel });
    const unread = createContent({ descriptor: descriptorOf(alphabet), source: source() });
    await unread.cancel();
    await unread.cancel();
    expect([cancelled, observed]).toEqual([1, {}]);
    const read = createContent({ descriptor: descriptorOf(alphabet), source: source() });
    await read.bytes();
    const opened = createContent({ descriptor: descriptorOf(alphabet), source: source() });
    await opened.open();
    await opened.cancel();
    expect([cancelled, observed]).toEqual([1, { opened: 2, closed: 2 }]);
  });

  test('tells a source that arrives by itself that it is not wanted, once', async () => {
    const observed: Partial<Observed> = {};
    const source = kinds['iterate']?.([alphabet], observed) ?? { pieces: [] };
    const content = createContent({ descriptor: descriptorOf(alphabet), source });
    await content.cancel();
    await content.cancel();
    expect(observed).toEqual({ cancelled: 1 });
    await expect(content.bytes()).rejects.toThrow(TypeError);
  });

  test('tells a source that arrives by itself also if the content has no bytes', async () => {
    const observed: Partial<Observed> = {};
    const source = kinds['iterate']?.([], observed) ?? { pieces: [] };
    await createContent({ descriptor: descriptorOf(new Uint8Array()), source }).cancel();
    expect(observed).toEqual({ cancelled: 1 });
  });

  test('is what disposing does', async () => {
    const observed: Partial<Observed> = {};
    const source = kinds['iterate']?.([alphabet], observed) ?? { pieces: [] };
    await createContent({ descriptor: descriptorOf(alphabet), source })[Symbol.asyncDispose]();
    expect(observed).toEqual({ cancelled: 1 });
  });

  test('a stream does not wait for a piece that never comes', async () => {
    let cancelled = false;
    const content = createContent({
      descriptor: descriptorOf(alphabet),
      source: {
        async *iterate() {
          yield alphabet.subarray(0, 3);
          await new Promise(() => undefined);
        },
        async cancel() {
          cancelled = true;
        },
      },
    });
    const reader = content.stream().getReader();
    await reader.read();
    const waiting = reader.read();
    await new Promise(setImmediate);
    await reader.cancel();
    expect(cancelled).toBe(true);
    expect(await waiting).toMatchObject({ done: true });
  });
});

describe('bytes()', () => {
  test('accepts as many bytes as the limit, of the part that is read', async () => {
    const content = (): BlobContent =>
      createContent({ descriptor: descriptorOf(alphabet), range: { last: 5 }, source: { pieces: [alphabet] } });
    expect(decode(await content().bytes(5))).toBe('vwxyz');
    await expect(content().bytes(4)).rejects.toMatchObject({ code: 'CONTENT_TOO_LARGE' });
  });

  test('refuses more than 64 MiB unless told otherwise, without reading anything', async () => {
    const observed: Partial<Observed> = {};
    const source = kinds['iterate']?.([alphabet], observed) ?? { pieces: [] };
    const descriptor = { ...descriptorOf(alphabet), size: 64 * 1024 * 1024 + 1 };
    await expect(createContent({ descriptor, source }).bytes()).rejects.toMatchObject({ code: 'CONTENT_TOO_LARGE' });
    expect(observed).toEqual({ cancelled: 1 });
  });

  test('gives bytes of one’s own', async () => {
    const stored = Uint8Array.from(alphabet);
    const content = createContent({ descriptor: descriptorOf(stored), source: { pieces: [stored] } });
    (await content.bytes()).fill(0);
    expect(stored).toEqual(alphabet);
  });
});

describe('a signal', () => {
  const reason = new Error('the client has left');

  test.each(everyWayAndKind)('that was aborted before lets nothing be read: "$kind" by $way', async (given) => {
    const observed: Partial<Observed> = {};
    const content = createContent({
      descriptor: descriptorOf(alphabet),
      source: given.sourceOf([alphabet], observed),
      signal: AbortSignal.abort(reason),
    });
    await expect(given.read(content)).rejects.toBe(reason);
    expect(observed.opened).toBeUndefined();
  });

  test.each(everyKind)('ends the reading in the middle: "%s"', async (kind, sourceOf) => {
    const pieces = [alphabet.subarray(0, 3), alphabet.subarray(3, 6), alphabet.subarray(6)];
    const reads = {
      async byIterating(content: BlobContent, abort: () => void) {
        for await (const _piece of content) abort();
      },
      async byBuffers(content: BlobContent, abort: () => void) {
        await content.readInto(new Uint8Array(3));
        abort();
        await content.readInto(new Uint8Array(3));
      },
    };
    for (const read of Object.values(reads)) {
      const observed: Partial<Observed> = {};
      const controller = new AbortController();
      // `open` reads 256 KiB at a time, which is all of this: a second read is forced by a size that is never reached.
      const descriptor = kind === 'open' ? { ...descriptorOf(alphabet), size: 600_000 } : descriptorOf(alphabet);
      const source = kind === 'open' ? endless(observed) : sourceOf(pieces, observed);
      const content = createContent({ descriptor, source, signal: controller.signal });
      await expect(read(content, () => controller.abort(reason))).rejects.toBe(reason);
      await new Promise(setImmediate);
      if (kind !== 'pieces') expect(observed).toMatchObject({ opened: 1, closed: 1 });
    }
  });

  test.each(everyWay)('ends the waiting for a piece that never comes: read by %s', async (_way, read) => {
    const controller = new AbortController();
    let cancelled = 0;
    const content = createContent({
      descriptor: descriptorOf(alphabet),
      source: {
        async *iterate() {
          yield alphabet.subarray(0, 3);
          setTimeout(() => controller.abort(reason), 5);
          await new Promise(() => undefined);
        },
        async cancel() {
          cancelled++;
        },
      },
      signal: controller.signal,
    });
    await expect(read(content)).rejects.toBe(reason);
    expect(cancelled).toBe(1);
  });

  test('lets go of a file that was being opened', async () => {
    const controller = new AbortController();
    let closed = 0;
    const content = createContent({
      descriptor: descriptorOf(alphabet),
      source: {
        async open() {
          controller.abort(reason);
          return readerOf([alphabet], () => closed++);
        },
      },
      signal: controller.signal,
    });
    await expect(content.open()).rejects.toBe(reason);
    expect(closed).toBe(1);
  });

  function endless(observed: Partial<Observed>): ContentSource {
    return {
      async open() {
        observed.opened = (observed.opened ?? 0) + 1;
        return {
          readInto: async (buffer) => buffer.length,
          async close() {
            observed.closed = (observed.closed ?? 0) + 1;
          },
        };
      },
    };
  }
});

function gate<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}

describe('content whose bytes the store keeps', () => {
  const keep = (): { kept: Uint8Array; content: BlobContent } => {
    const kept = Uint8Array.from(alphabet);
    const source: ContentSource = { pieces: [kept], areKept: true };
    return { kept, content: createContent({ descriptor: descriptorOf(alphabet), source }) };
  };

  test.each(Object.entries(ways))('is right, and stays right for the next reader: %s', async (_way, read) => {
    const { kept, content } = keep();
    expect(await read(content)).toEqual(alphabet);
    expect(kept).toEqual(alphabet);
  });

  test('gives copies to each reader but one that says that it changes nothing', async () => {
    const [iterated, lent, ready, promising] = [keep(), keep(), keep(), keep()];
    for await (const piece of iterated.content) piece.fill(0);
    for await (const piece of lent.content.lent()) piece.fill(0);
    ready.content.ready?.()?.fill(0);
    for (const { kept } of [iterated, lent, ready]) expect(kept).toEqual(alphabet);
    expect(promising.content.ready?.('lent')).toBe(promising.kept);
  });
});
