// The bytes of a blob, or of a part of it, as a registry returns them.

/// <reference lib="esnext.disposable" preserve="true" />
import { wrongSize } from './content-errors.ts';
import type { Descriptor } from './descriptor.ts';
import { RegistryError } from './errors.ts';
import { untilAborted } from './iteration.ts';

/**
 * A part of content, in bytes: from `start` up to but not including `end`, or the `last` so many. Without `end`, up to
 * the content's end. A part that extends past the content's end is shortened. An empty part is allowed.
 *
 * @example
 * const first100: ByteRange = { start: 0, end: 100 };
 * const last100: ByteRange = { last: 100 };
 */
export type ByteRange = { start: number; end?: number | undefined } | { last: number };

/** A {@link ByteRange} of content whose size is known: `0 <= start <= end <= size`. */
export interface ResolvedRange {
  /** The first byte. */
  start: number;
  /** The byte after the last one. */
  end: number;
}

/**
 * Applies a range to content of this size.
 *
 * @example resolveRange({ last: 100 }, 1000) // { start: 900, end: 1000 }
 * @returns the whole content if `range` is undefined
 * @throws RegistryError RANGE_INVALID if the range is not made of whole numbers of at least 0, or ends before its start
 */
export function resolveRange(range: ByteRange | undefined, size: number): ResolvedRange {
  if (range === undefined) return { start: 0, end: size };
  if ('last' in range) {
    assertPosition(range.last);
    return { start: Math.max(0, size - range.last), end: size };
  }
  const { start, end = size } = range;
  assertPosition(start);
  assertPosition(end);
  if (range.end !== undefined && end < start) {
    throw new RegistryError('RANGE_INVALID', `the range ends at byte ${end}, before its start at ${start}`);
  }
  const clamped = Math.min(start, size);
  return { start: clamped, end: Math.max(clamped, Math.min(end, size)) };
}

function assertPosition(position: number): void {
  if (!Number.isSafeInteger(position) || position < 0) {
    throw new RegistryError('RANGE_INVALID', `${position} is not a position in bytes: use whole numbers of at least 0`);
  }
}

/**
 * The bytes of a blob, or of a part of it. They can be read once, in one of five ways: iterate the content itself,
 * iterate `lent()`, use `stream()` or `bytes()`, or call `readInto()` until it returns 0.
 *
 * Content from a store is lazy: it holds nothing open until it is read. Content from a client *is* the response to a
 * request: it holds a connection, so read it or `cancel()` it. Reading to the end, an error and leaving an iteration
 * all release it.
 *
 * @example
 * await using content = await registry.getBlob('team/app', digest);
 * for await (const piece of content) await file.write(piece);
 */
export interface BlobContent extends AsyncIterable<Uint8Array>, AsyncDisposable {
  /**
   * The descriptor of the whole blob, also if this content is only a part of it. Its size is `Infinity` if a registry
   * has answered without a length: the bytes are then counted while they are read.
   */
  readonly descriptor: Descriptor;
  /** The part of the blob that this content is. With several `parts`, the smallest range that holds all of them. */
  readonly range: ResolvedRange;
  /**
   * The parts of the blob that this content is, one after the other, if `getBlob` was asked for `ranges`. Parts may
   * overlap, and come in any order. Default: the content is one part, which is `range`.
   */
  readonly parts?: readonly ResolvedRange[] | undefined;
  /**
   * The fastest way to read. `pieces`: iterate, because the bytes are in memory already. `buffer`: call `readInto` with
   * buffers that you reuse, because iterating allocates new ones.
   */
  readonly form: 'pieces' | 'buffer';
  /**
   * Checks that the content can be read, so that an error occurs before a response starts. Optional: reading opens the
   * content too.
   */
  open(): Promise<void>;
  /**
   * The bytes if they are few and in memory already. The content then counts as read. Undefined: read it in another
   * way. Optional: saves a server the waits of reading a small blob.
   *
   * @param how `lent`: the caller will not change the bytes, so they need not be a copy
   */
  ready?(how?: 'lent'): Uint8Array | undefined;
  /** Writes the next bytes to the start of `buffer`. Returns how many, 0 at the end. */
  readInto(buffer: Uint8Array): Promise<number>;
  /**
   * Iterates pieces whose memory the source reuses. A piece is valid only until the third piece after it is requested.
   * No piece is empty. The memory may be a `SharedArrayBuffer`.
   */
  lent(): AsyncIterable<Uint8Array>;
  /** Reads the content as a stream. */
  stream(): ReadableStream<Uint8Array>;
  /**
   * Reads all of the content into memory.
   *
   * @param limit bytes. Larger content rejects with CONTENT_TOO_LARGE. Default: 64 MiB
   */
  bytes(limit?: number): Promise<Uint8Array>;
  /** Releases the file or connection. May be called at any time and more than once. */
  cancel(): Promise<void>;
}

/** Reads the bytes of a file or another medium, in order, into buffers of the caller. */
export interface ByteReader {
  /**
   * Writes the next bytes to the start of `buffer`. Returns how many, 0 at the end. Never called during another call.
   */
  readInto(buffer: Uint8Array): Promise<number>;
  /**
   * Continues with another part, for a content of several parts. Default: the medium is opened again for each part.
   */
  moveTo?(part: ResolvedRange): void | Promise<void>;
  /** Releases the medium. Called once, also after an error. */
  close(): Promise<void>;
}

/**
 * The source of a {@link BlobContent}'s bytes.
 *
 * A reader may keep the pieces that it iterates, unless `how` is `lent`. The memory of a lent piece may be reused once
 * the third piece after it is requested. No lent piece may be empty.
 */
export type ContentSource =
  /**
   * The whole blob is in memory, in one piece or in several. `areKept`: the store keeps them as well, so a reader gets
   * copies that it may change. Default: false.
   */
  | { pieces: readonly Uint8Array[]; areKept?: boolean }
  /** The bytes are read on demand, from `range.start` on. `cancel` is called if the content is released unopened. */
  | { open: (range: ResolvedRange) => Promise<ByteReader>; cancel?: () => Promise<void> }
  /** The bytes arrive on their own, from `range.start` on. `cancel` is called if the reader does not want them all. */
  | { iterate: (range: ResolvedRange, how?: 'lent') => AsyncIterable<Uint8Array>; cancel?: () => Promise<void> };

/** Options of {@link createContent}. */
export interface CreateContentOptions {
  /** The descriptor of the whole blob. A size of `Infinity` means that the size is not known before the end. */
  descriptor: Descriptor;
  /** The blob's bytes. */
  source: ContentSource;
  /** The part of the blob to read. Default: all `descriptor.size` bytes. */
  range?: ByteRange | undefined;
  /** Ends the reading when it is aborted, also in the middle. */
  signal?: AbortSignal | undefined;
}

/**
 * Creates a {@link BlobContent}, for the `getBlob` of your own registry. If the source has fewer or more bytes than
 * announced, reading rejects with SIZE_INVALID.
 *
 * @example
 * async getBlob(repository, digest, { range, signal } = {}) {
 *   const bytes = await load(digest);
 *   const descriptor = blobDescriptor(digest, bytes.length);
 *   return createContent({ descriptor, range, signal, source: { pieces: [bytes] } });
 * }
 * @throws RegistryError RANGE_INVALID if the range is invalid
 */
export function createContent(options: CreateContentOptions): BlobContent {
  return new Content(options);
}

const pieceSize = 256 * 1024;
/** Bytes. Larger content is sent in pieces, at the reader's pace. */
const largestReady = 64 * 1024;
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
  /** True once a source of the `iterate` form has reached its end. */
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
    // The other forms of source are always open.
    if ('open' in this.#source) await this.#openReader();
  }

  ready(how?: 'lent'): Uint8Array | undefined {
    const source = this.#source;
    if (!('pieces' in source) || source.pieces.length !== 1 || this.#way !== undefined) return undefined;
    const [only] = source.pieces;
    // Reading reports a wrong size.
    if (only === undefined || only.length !== this.descriptor.size || only.length > largestReady) return undefined;
    this.#assertUsable();
    this.#begin('iteration');
    this.#ended = true;
    const { start, end } = this.range;
    const part = start === 0 && end === only.length ? only : only.subarray(start, end);
    return source.areKept === true && how !== 'lent' ? new Uint8Array(part) : part;
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
    if ('pieces' in source) {
      const pieces = source.areKept === true ? source.pieces.map((piece) => new Uint8Array(piece)) : source.pieces;
      return slicesOf(pieces, this.range, this.#signal);
    }
    return untilAborted(source.iterate(this.range, how), this.#signal);
  }

  #assertUsable(): void {
    this.#signal?.throwIfAborted();
    if (this.#ended)
      throw new TypeError('the content has been read or cancelled already: call getBlob again to read it once more');
  }

  #begin(way: 'iteration' | 'buffers'): void {
    if (this.#way !== undefined && (this.#way === 'iteration' || way !== this.#way)) {
      throw new TypeError('the content is being read in another way: it can be read only once, in one way');
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
      // An await costs time even if nothing is to be opened.
      if (this.#reader === undefined) await this.#openReader();
      const count = (await this.#reader?.readInto(buffer.subarray(0, wanted))) ?? 0;
      if (count === 0 && this.range.end !== Number.POSITIVE_INFINITY) throw this.#wrongSize(false);
      if (count === 0) {
        this.#exhausted = true;
        await this.cancel();
      }
      this.#position += count;
      if (this.#position === this.range.end) await this.#assertEnd();
      return count;
    } catch (error) {
      await this.cancel();
      throw error;
    }
  }

  /** Reads past the last byte: only there does a source that verifies its content report whether it is correct. */
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
      // Not in a generator of its own: that would double the time for each piece.
      for await (const piece of this.#pieces(this.#source, how)) {
        if (this.#position + piece.length > this.range.end) throw this.#wrongSize(true);
        this.#position += piece.length;
        yield piece;
      }
      this.#exhausted = true;
      if (this.#position < this.range.end && this.range.end !== Number.POSITIVE_INFINITY) throw this.#wrongSize(false);
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
          // During a pending next(), return() settles only after it: do not wait for that.
          if (waiting) iterator.return(undefined).catch(() => undefined);
          else await iterator.return(undefined);
        },
      },
      { highWaterMark: 0 },
    );
  }

  async bytes(limit: number = defaultBytesLimit): Promise<Uint8Array> {
    const size = this.range.end - this.range.start;
    if (size === Number.POSITIVE_INFINITY) return this.#countedBytes(limit);
    if (size > limit) {
      await this.cancel();
      throw this.#tooLarge(size, limit);
    }
    const all = new Uint8Array(size);
    let at = 0;
    for await (const piece of this) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }

  async #countedBytes(limit: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let size = 0;
    for await (const piece of this) {
      size += piece.length;
      if (size > limit) throw this.#tooLarge(size, limit);
      pieces.push(piece);
    }
    const all = new Uint8Array(size);
    let at = 0;
    for (const piece of pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }

  #tooLarge(size: number, limit: number): RegistryError {
    return new RegistryError(
      'CONTENT_TOO_LARGE',
      `${this.descriptor.digest} is too large to read into memory: ${size} bytes, but the limit is ${limit}`,
    );
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

/** The parts of the pieces that lie in the range, without copying. */
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

/** A reader that copies pieces into the caller's buffers as they arrive. */
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
