/// <reference lib="esnext.disposable" preserve="true" />
import type { Descriptor } from './descriptor.ts';
import { wrongSize } from './digest.ts';
import { RegistryError } from './errors.ts';
import { untilAborted } from './iteration.ts';

/**
 * A part of a content, in bytes: from `start` up to but not including `end` (to the end if it is left out), or the
 * `last` so many. What lies past the end is cut off; an empty part is allowed.
 */
export type ByteRange = { start: number; end?: number | undefined } | { last: number };

/** A {@link ByteRange} of a content whose size is known: `0 <= start <= end <= size`. */
export interface ResolvedRange {
  /** The first byte. */
  start: number;
  /** The byte after the last one. */
  end: number;
}

/**
 * @returns the whole content if there is no range
 * @throws RegistryError RANGE_INVALID if it is not made of whole numbers from 0 up, or ends before it starts
 */
export function resolveRange(range: ByteRange | undefined, size: number): ResolvedRange {
  if (range === undefined) return { start: 0, end: size };
  if ('last' in range) {
    assertOffset(range.last);
    return { start: Math.max(0, size - range.last), end: size };
  }
  const { start, end = size } = range;
  assertOffset(start);
  assertOffset(end);
  if (range.end !== undefined && end < start) {
    throw new RegistryError('RANGE_INVALID', `the range ends at byte ${end}, before its start at ${start}`);
  }
  const clamped = Math.min(start, size);
  return { start: clamped, end: Math.max(clamped, Math.min(end, size)) };
}

function assertOffset(offset: number): void {
  if (!Number.isSafeInteger(offset) || offset < 0) {
    throw new RegistryError('RANGE_INVALID', `${offset} is not a byte's position`);
  }
}

/**
 * The bytes of a blob, or of a part of it, to be read once in one of five ways: iterate, also by `lent()`, `stream()`, `bytes()`
 * or `readInto()` until it gives 0.
 *
 * From a store it is lazy: unread, it holds nothing open. From a client it *is* the answer to a request: unread, it
 * holds a connection, so read it or `cancel()` it. Reading to the end, failing and leaving an iteration all let go.
 */
export interface BlobContent extends AsyncIterable<Uint8Array>, AsyncDisposable {
  /** Of the whole blob, also if this is only a part of it. */
  readonly descriptor: Descriptor;
  /** The part of the blob that this is. */
  readonly range: ResolvedRange;
  /**
   * How it is best read. `pieces`: iterating hands on bytes that exist already. `buffer`: iterating makes new buffers,
   * so `readInto` with buffers that are used again is faster.
   */
  readonly form: 'pieces' | 'buffer';
  /**
   * Makes sure that it can be read, so that an error comes before an answer begins.
   * It need not be called: reading opens.
   */
  open(): Promise<void>;
  /** Fills `buffer` from its start with the next bytes; gives how many, 0 at the end. */
  readInto(buffer: Uint8Array): Promise<number>;
  /**
   * Iterates where pieces need not be kept: each is good only until the third after it is asked for, so that a source may use its
   * memory again. None is empty. They may be in a `SharedArrayBuffer`.
   */
  lent(): AsyncIterable<Uint8Array>;
  stream(): ReadableStream<Uint8Array>;
  /**
   * All of it, in memory.
   *
   * @param limit rejects with CONTENT_TOO_LARGE if there are more bytes than that; 64 MiB if it is left out
   */
  bytes(limit?: number): Promise<Uint8Array>;
  /** Lets go of what it holds; may be called at any time and more than once. */
  cancel(): Promise<void>;
}

/** Reads one after another of a file's or another medium's bytes into buffers of the caller. */
export interface ByteReader {
  /** Fills `buffer` from its start; gives how many bytes, 0 at the end. Never called twice at the same time. */
  readInto(buffer: Uint8Array): Promise<number>;
  /** Called once, also after an error. */
  close(): Promise<void>;
}

/**
 * Where the bytes of a {@link BlobContent} come from. Pieces that are iterated are the reader's to keep, unless `how` is `lent`: then
 * each need be good only until the third after it is asked for, so that its memory can be used again, and none may be empty.
 */
export type ContentSource =
  /** They are in memory: the whole blob, in one piece or in several. */
  | { pieces: readonly Uint8Array[] }
  /** They are read on demand, from `range.start` on. `cancel` is called if it ends without having been opened. */
  | { open: (range: ResolvedRange) => Promise<ByteReader>; cancel?: () => Promise<void> }
  /** They arrive by themselves, from `range.start` on. `cancel` is called if nobody wants them, or no more of them. */
  | { iterate: (range: ResolvedRange, how?: 'lent') => AsyncIterable<Uint8Array>; cancel?: () => Promise<void> };

export interface CreateContentOptions {
  descriptor: Descriptor;
  source: ContentSource;
  /** The part to be read, of the blob of `descriptor.size` bytes; all of it if it is left out. */
  range?: ByteRange | undefined;
  /** Ends the reading, also in the middle. */
  signal?: AbortSignal | undefined;
}

/**
 * Makes a {@link BlobContent}: what a store of your own returns from `getBlob`. A source that ends early, or gives more,
 * fails with SIZE_INVALID while it is read.
 *
 * @example
 * createContent({ descriptor, range: options?.range, source: { pieces: [bytes] } })
 */
export function createContent(options: CreateContentOptions): BlobContent {
  return new Content(options);
}

const pieceSize = 256 * 1024;
const defaultBytesLimit = 64 * 1024 * 1024;

class Content implements BlobContent {
  readonly descriptor: Descriptor;
  readonly range: ResolvedRange;
  readonly form: 'pieces' | 'buffer';
  readonly #source: ContentSource;
  readonly #signal: AbortSignal | undefined;
  #reader: ByteReader | undefined;
  #position: number;
  #way: 'iteration' | 'buffers' | undefined;
  /** A source that arrives by itself has come to its end. */
  #exhausted = false;
  #ended = false;

  constructor({ descriptor, source, range, signal }: CreateContentOptions) {
    this.descriptor = descriptor;
    this.range = resolveRange(range, descriptor.size);
    this.form = 'open' in source ? 'buffer' : 'pieces';
    this.#source = source;
    this.#signal = signal;
    this.#position = this.range.start;
  }

  async open(): Promise<void> {
    this.#assertUsable();
    // What is in memory, or arrives by itself, is open.
    if ('open' in this.#source) await this.#openReader();
  }

  async #openReader(): Promise<void> {
    if (this.#reader !== undefined || this.#position >= this.range.end) return;
    const source = this.#source;
    const reader = 'open' in source ? await source.open(this.range) : readerOf(this.#pieces(source, 'lent'));
    try {
      this.#assertUsable();
    } catch (error) {
      await reader.close();
      throw error;
    }
    this.#reader = reader;
  }

  #pieces(source: Exclude<ContentSource, { open: unknown }>, how?: 'lent'): AsyncIterable<Uint8Array> {
    if ('pieces' in source) return slicesOf(source.pieces, this.range, this.#signal);
    return untilAborted(source.iterate(this.range, how), this.#signal);
  }

  #assertUsable(): void {
    this.#signal?.throwIfAborted();
    if (this.#ended) throw new TypeError('the content has been read or cancelled');
  }

  #begin(way: 'iteration' | 'buffers'): void {
    if (this.#way !== undefined && (this.#way === 'iteration' || way !== this.#way)) {
      throw new TypeError('the content is being read already, or has been');
    }
    this.#way = way;
  }

  async readInto(buffer: Uint8Array): Promise<number> {
    this.#begin('buffers');
    return this.#fill(buffer);
  }

  async #fill(buffer: Uint8Array): Promise<number> {
    const wanted = Math.min(buffer.length, this.range.end - this.#position);
    if (wanted === 0) {
      if (this.#position >= this.range.end) await this.cancel();
      return 0;
    }
    try {
      this.#assertUsable();
      // Once it is open, the next read begins at once.
      if (this.#reader === undefined) await this.#openReader();
      const count = (await this.#reader?.readInto(buffer.subarray(0, wanted))) ?? 0;
      if (count === 0) throw this.#wrongSize(false);
      this.#position += count;
      if (this.#position === this.range.end) await this.#assertEnd();
      return count;
    } catch (error) {
      await this.cancel();
      throw error;
    }
  }

  /** Only after its last byte does a source that verifies what it hands on say whether all of it was right. */
  async #assertEnd(): Promise<void> {
    if (!('iterate' in this.#source)) return;
    if (((await this.#reader?.readInto(new Uint8Array(1))) ?? 0) > 0) throw this.#wrongSize(true);
    this.#exhausted = true;
  }

  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#iterate();
  }

  lent(): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#iterate('lent');
  }

  async *#iterate(how?: 'lent'): AsyncGenerator<Uint8Array, void, undefined> {
    this.#begin('iteration');
    this.#assertUsable();
    try {
      if ('open' in this.#source) {
        yield* this.#read();
        return;
      }
      // A generator of its own for this would take as long for each piece as all of the rest here.
      for await (const piece of this.#pieces(this.#source, how)) {
        if (this.#position + piece.length > this.range.end) throw this.#wrongSize(true);
        this.#position += piece.length;
        yield piece;
      }
      this.#exhausted = true;
      if (this.#position < this.range.end) throw this.#wrongSize(false);
    } finally {
      await this.cancel();
    }
  }

  async *#read(): AsyncGenerator<Uint8Array> {
    while (this.#position < this.range.end) {
      const buffer = new Uint8Array(Math.min(pieceSize, this.range.end - this.#position));
      const count = await this.#fill(buffer);
      yield buffer.subarray(0, count);
    }
  }

  stream(): ReadableStream<Uint8Array> {
    const iterator = this[Symbol.asyncIterator]();
    let waiting = false;
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          waiting = true;
          const next = await iterator.next();
          waiting = false;
          if (next.done === true) controller.close();
          else controller.enqueue(next.value);
        },
        cancel: async () => {
          await this.cancel();
          // While the next piece is being waited for, the iteration ends only after it.
          if (waiting) iterator.return(undefined).catch(() => undefined);
          else await iterator.return(undefined);
        },
      },
      { highWaterMark: 0 },
    );
  }

  async bytes(limit: number = defaultBytesLimit): Promise<Uint8Array> {
    const size = this.range.end - this.range.start;
    if (size > limit) {
      await this.cancel();
      throw new RegistryError(
        'CONTENT_TOO_LARGE',
        `${this.descriptor.digest}: ${size} bytes, but at most ${limit} were asked for`,
      );
    }
    const all = new Uint8Array(size);
    let at = 0;
    for await (const piece of this) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }

  async cancel(): Promise<void> {
    const unwanted = !this.#ended && !this.#exhausted;
    this.#ended = true;
    const reader = this.#reader;
    const unopened = 'open' in this.#source && reader === undefined;
    if (unwanted && ('iterate' in this.#source || unopened)) await this.#source.cancel?.();
    this.#reader = undefined;
    await reader?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cancel();
  }

  #wrongSize(isTooLong: boolean): RegistryError {
    const { start, end } = this.range;
    return wrongSize(this.descriptor.digest, end - start, isTooLong ? end - start + 1 : this.#position - start);
  }
}

/** What of the pieces lies in the range, without copying. */
async function* slicesOf(
  pieces: readonly Uint8Array[],
  range: ResolvedRange,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  let at = 0;
  for (const piece of pieces) {
    const from = Math.max(range.start - at, 0);
    const to = Math.min(range.end - at, piece.length);
    signal?.throwIfAborted();
    if (from < to) yield from === 0 && to === piece.length ? piece : piece.subarray(from, to);
    at += piece.length;
    if (at >= range.end) return;
  }
}

/** Copies what arrives by itself into the caller's buffers. */
function readerOf(pieces: AsyncIterable<Uint8Array>): ByteReader {
  const iterator = pieces[Symbol.asyncIterator]();
  let rest: Uint8Array | undefined;
  return {
    async readInto(buffer) {
      while (rest === undefined || rest.length === 0) {
        const next = await iterator.next();
        if (next.done === true) return 0;
        rest = next.value;
      }
      const count = Math.min(rest.length, buffer.length);
      buffer.set(rest.subarray(0, count));
      rest = rest.subarray(count);
      return count;
    },
    async close() {
      await iterator.return?.();
    },
  };
}
