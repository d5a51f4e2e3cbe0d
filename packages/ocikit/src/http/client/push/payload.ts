// The bytes of a push, to be read from any position as far as their source allows it.
import { readSource, RegistryError } from '../../../model/index.ts';
import type { BlobSource } from '../../../model/index.ts';

import { assertSize, concat, sizeMismatch } from '../shared/index.ts';

/** A stream of at most this many bytes is read into memory: its size is then known, and it can be sent again. */
const heldAtStart = 1024 * 1024;

/** The bytes of a push, to be read from any position as far as their source allows it. */
export interface Payload {
  /** Bytes; undefined as long as only the end of the source will tell. */
  readonly size: number | undefined;
  /** The error of the source. If the source was a short one, `size` bytes came before it. */
  readonly failure: { error: unknown } | undefined;
  /** Whether it can be read from any position on, as often as needed. */
  readonly reopenable: boolean;
  /** Whether it can be read from this position on now. */
  canOpen(position: number): boolean;
  /** Whether it is in memory. Other payloads are taken into memory in pieces, as not every browser sends streams. */
  readonly inMemory: boolean;
  /** Reads from `start` up to but not including `end`; to the end of the source if `end` is left out. */
  open(start: number, end?: number): Uint8Array | AsyncIterable<Uint8Array>;
  /** Reads `length` bytes or fewer into memory. They can be taken again until others are taken. */
  take(start: number, length: number): Promise<Uint8Array>;
  /** Releases the source. */
  close(): Promise<void>;
}

/** How a source is opened. */
export interface PayloadOptions {
  /** Bytes that the source has to have; undefined: any number. */
  size?: number | undefined;
  /** Ends the reading of the source. */
  signal?: AbortSignal | undefined;
}

/**
 * Opens a source. The size of bytes in memory, and of a short source, is checked at once. The size of a longer stream
 * is checked when it ends, before its last bytes are handed on.
 *
 * @throws RegistryError SIZE_INVALID
 */
export async function openPayload(source: BlobSource, { size, signal }: PayloadOptions): Promise<Payload> {
  signal?.throwIfAborted();
  const opened = typeof source === 'function' ? await source() : source;
  signal?.throwIfAborted();
  if (opened instanceof Uint8Array) return heldPayload(opened, size);
  if (opened instanceof Blob) {
    if (opened.size <= heldAtStart) return heldPayload(new Uint8Array(await opened.arrayBuffer()), size);
    assertSize(size, opened.size);
    return blobPayload(opened, signal);
  }
  const again = typeof source === 'function' ? source : undefined;
  const stream = new StreamPayload(readSource(opened, signal), again, { size, signal });
  if (size !== undefined && size > heldAtStart) return stream;
  return stream.held();
}

function heldPayload(bytes: Uint8Array, size: number | undefined, failure?: { error: unknown }): Payload {
  if (failure === undefined) assertSize(size, bytes.length);
  return {
    size: bytes.length,
    failure,
    inMemory: true,
    reopenable: true,
    canOpen: () => true,
    open: (start, end) => bytes.subarray(start, end),
    take: async (start, length) => bytes.subarray(start, start + length),
    async close() {
      // There is nothing to release.
    },
  };
}

function blobPayload(blob: Blob, signal: AbortSignal | undefined): Payload {
  return {
    size: blob.size,
    failure: undefined,
    inMemory: false,
    reopenable: true,
    canOpen: () => true,
    open: (start, end) => readSource(blob.slice(start, end), signal),
    take: async (start, length) => new Uint8Array(await blob.slice(start, start + length).arrayBuffer()),
    async close() {
      // A blob is not held open.
    },
  };
}

/**
 * A stream. A reading continues where the one before ended; a reading from an earlier position opens the source again.
 */
class StreamPayload implements Payload {
  size: number | undefined;
  failure: { error: unknown } | undefined;
  readonly inMemory = false;
  readonly reopenable: boolean;
  readonly #again: BlobSource | undefined;
  readonly #signal: AbortSignal | undefined;
  #pieces: AsyncGenerator<Uint8Array, void, undefined> | undefined;
  /** Bytes that were read and not handed on; the first one is at `position`. */
  #rest: Uint8Array[] = [];
  #position = 0;
  #taken: { start: number; bytes: Uint8Array } | undefined;
  #filling: Promise<void> | undefined;
  #ended = false;
  /** The number of the latest reading. An earlier one, of a request that was cut, must take no more bytes. */
  #reading = 0;

  constructor(
    pieces: AsyncGenerator<Uint8Array, void, undefined>,
    again: BlobSource | undefined,
    { size, signal }: PayloadOptions,
  ) {
    this.#pieces = pieces;
    this.#again = again;
    this.reopenable = again !== undefined;
    this.size = size;
    this.#signal = signal;
  }

  /** Reads ahead: a short source is read to its end. */
  async held(): Promise<Payload> {
    const pieces: Uint8Array[] = [];
    let count = 0;
    try {
      while (count <= heldAtStart) {
        const piece = await this.#next(0);
        if (piece === undefined) return heldPayload(concat(pieces), this.size);
        pieces.push(piece);
        count += piece.length;
        if (this.size !== undefined && count > this.size) throw sizeMismatch(this.size, count);
      }
    } catch (error) {
      await this.close();
      if (this.failure === undefined) throw error;
      return heldPayload(concat(pieces), this.size, this.failure);
    }
    this.#rest = pieces;
    return this;
  }

  canOpen(position: number): boolean {
    return (
      this.#again !== undefined || this.#isTaken(position) || (this.failure === undefined && position >= this.#position)
    );
  }

  open(start: number, end?: number): AsyncIterable<Uint8Array> {
    return this.#read(start, end ?? Number.POSITIVE_INFINITY);
  }

  async take(start: number, length: number): Promise<Uint8Array> {
    const taken = this.#taken;
    if (taken !== undefined && this.#isTaken(start))
      return taken.bytes.subarray(start - taken.start).subarray(0, length);
    const pieces: Uint8Array[] = [];
    try {
      for await (const piece of this.#read(start, start + length)) pieces.push(piece);
    } catch (error) {
      // The bytes before the error are sent all the same.
      if (this.failure === undefined || pieces.length === 0) throw error;
    }
    const bytes = concat(pieces);
    this.#taken = { start, bytes };
    return bytes;
  }

  #isTaken(position: number): boolean {
    if (this.#taken === undefined) return false;
    const { start, bytes } = this.#taken;
    return position >= start && position < start + bytes.length;
  }

  async *#read(start: number, end: number): AsyncGenerator<Uint8Array, void, undefined> {
    const reading = ++this.#reading;
    await this.#seek(start, reading);
    while (this.#position < end) {
      const piece = await this.#next(reading);
      if (piece === undefined) {
        if (this.size !== undefined && this.size !== this.#position)
          this.#fail(sizeMismatch(this.size, this.#position));
        this.size = this.#position;
        return;
      }
      const part = piece.subarray(0, end - this.#position);
      if (part.length < piece.length) this.#rest.unshift(piece.subarray(part.length));
      this.#position += part.length;
      if (this.size !== undefined && this.#position >= this.size) await this.#assertEnd(this.size, reading);
      yield part;
    }
  }

  async #seek(start: number, reading: number): Promise<void> {
    if (start < this.#position || this.failure !== undefined) {
      if (this.#again === undefined)
        throw new RegistryError('UNAVAILABLE', 'the source can be read only once; to send it again, pass a function');
      await this.close();
      this.failure = undefined;
      this.#ended = false;
      this.#position = 0;
      this.#pieces = readSource(this.#again, this.#signal);
    }
    while (this.#position < start) {
      const piece = await this.#next(reading);
      if (piece === undefined) this.#fail(sizeMismatch(this.size ?? start, this.#position));
      const passed = Math.min(piece.length, start - this.#position);
      if (passed < piece.length) this.#rest.unshift(piece.subarray(passed));
      this.#position += passed;
    }
  }

  /** Called before the last bytes are handed on, as these make the content whole. */
  async #assertEnd(size: number, reading: number): Promise<void> {
    if (this.#position > size || (await this.#next(reading)) !== undefined) this.#fail(sizeMismatch(size, size + 1));
  }

  async #next(reading: number): Promise<Uint8Array | undefined> {
    for (;;) {
      if (reading !== this.#reading) throw new RegistryError('UNAVAILABLE', 'the request was given up');
      const piece = this.#rest.shift();
      if (piece !== undefined || this.#ended) return piece;
      this.#filling ??= this.#fill();
      await this.#filling;
    }
  }

  async #fill(): Promise<void> {
    try {
      const next = await this.#pieces?.next();
      if (next === undefined || next.done === true) this.#ended = true;
      else if (next.value.length > 0) this.#rest.push(next.value);
    } catch (error) {
      // If the caller has ended the call, it knows why.
      if (this.#signal?.aborted !== true) this.failure = { error };
      throw error;
    } finally {
      this.#filling = undefined;
    }
  }

  #fail(error: RegistryError): never {
    this.failure = { error };
    throw error;
  }

  async close(): Promise<void> {
    this.#rest = [];
    const pieces = this.#pieces;
    this.#pieces = undefined;
    const left = pieces?.return();
    // A source that hangs would never confirm that it was closed.
    if (this.#signal?.aborted === true) left?.catch(() => undefined);
    else await left;
  }
}
