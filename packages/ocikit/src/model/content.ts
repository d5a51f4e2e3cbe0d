/// <reference lib="esnext.disposable" preserve="true" />
import type { Descriptor } from './descriptor.ts';
import { RegistryError } from './errors.ts';
import { untilAborted } from './source.ts';

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
 * The bytes of a blob, or of a part of it, to be read once in one of four ways: iterate, `stream()`, `bytes()` or
 * `readInto()` until it gives 0.
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

/** Where the bytes of a {@link BlobContent} come from. */
export type ContentSource =
  /** They are in memory: the whole blob, in one piece or in several. */
  | { pieces: readonly Uint8Array[] }
  /** They are read on demand, from `range.start` on. `cancel` is called if it ends without having been opened. */
  | { open: (range: ResolvedRange) => Promise<ByteReader>; cancel?: () => Promise<void> }
  /** They arrive by themselves, from `range.start` on. `cancel` is called if nobody wants them, or no more of them. */
  | { iterate: (range: ResolvedRange) => AsyncIterable<Uint8Array>; cancel?: () => Promise<void> };

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
    if ('open' in this.#source) await this.#open(this.#source.open);
  }

  async #open(openSource: (range: ResolvedRange) => Promise<ByteReader>): Promise<void> {
    if (this.#reader !== undefined || this.#position >= this.range.end) return;
    const reader = await openSource(this.range);
    try {
      this.#assertUsable();
    } catch (error) {
      await reader.close();
      throw error;
    }
    this.#reader = reader;
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
      await this.#open((range) => this.#openReader(range));
      const count = (await this.#reader?.readInto(buffer.subarray(0, wanted))) ?? 0;
      if (count === 0) throw this.#tooShort();
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
    if (((await this.#reader?.readInto(new Uint8Array(1))) ?? 0) > 0) throw this.#tooLong();
    this.#exhausted = true;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    this.#begin('iteration');
    this.#assertUsable();
    try {
      if ('pieces' in this.#source) yield* this.#slices(this.#source.pieces);
      else if ('iterate' in this.#source) yield* this.#iterate(this.#source.iterate);
      else yield* this.#read();
    } finally {
      await this.cancel();
    }
  }

  *#slices(pieces: readonly Uint8Array[]): Generator<Uint8Array, void, undefined> {
    for (const piece of slicesOf(pieces, this.range)) {
      this.#signal?.throwIfAborted();
      this.#position += piece.length;
      yield piece;
    }
    if (this.#position < this.range.end) throw this.#tooShort();
  }

  async *#iterate(iterate: (range: ResolvedRange) => AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of untilAborted(iterate(this.range), this.#signal)) {
      if (this.#position + piece.length > this.range.end) throw this.#tooLong();
      this.#position += piece.length;
      yield piece;
    }
    this.#exhausted = true;
    if (this.#position < this.range.end) throw this.#tooShort();
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

  async #openReader(range: ResolvedRange): Promise<ByteReader> {
    if ('open' in this.#source) return this.#source.open(range);
    if ('iterate' in this.#source) return readerOf(untilAborted(this.#source.iterate(range), this.#signal));
    return readerOf(iterateSync(slicesOf(this.#source.pieces, range)));
  }

  #tooShort(): RegistryError {
    const missing = this.range.end - this.#position;
    return new RegistryError('SIZE_INVALID', `${this.descriptor.digest}: the content ends ${missing} bytes too early`);
  }

  #tooLong(): RegistryError {
    return new RegistryError('SIZE_INVALID', `${this.descriptor.digest}: there is more content than announced`);
  }
}

/** What of the pieces lies in the range, without copying. */
function* slicesOf(pieces: readonly Uint8Array[], range: ResolvedRange): Generator<Uint8Array, void, undefined> {
  let at = 0;
  for (const piece of pieces) {
    const from = Math.max(range.start - at, 0);
    const to = Math.min(range.end - at, piece.length);
    if (from < to) yield from === 0 && to === piece.length ? piece : piece.subarray(from, to);
    at += piece.length;
    if (at >= range.end) return;
  }
}

async function* iterateSync<T>(items: Iterable<T>): AsyncGenerator<T, void, undefined> {
  yield* items;
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
