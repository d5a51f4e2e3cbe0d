// The bytes of a large blob over several connections.
import { linkSignal } from '../../../model/index.ts';
import type { LinkedSignal, ResolvedRange } from '../../../model/index.ts';

import type { BlobPart } from './blob-part.ts';
import type { Parallel } from './parallel.ts';
import type { RemoteBlob } from './remote-blob.ts';

const MiB = 1024 * 1024;

/**
 * Bytes after which a connection's speed is judged; also the size of the first chunk, as the speed is not known
 * before.
 */
const probe = 4 * MiB;

/** Bytes of a chunk at least. */
const smallestChunk = MiB;

/** Milliseconds of waiting before a connection counts as slow: on a busy machine, a fast one stops now and then. */
const waitedLong = 500;

/** Milliseconds that a chunk ought to take: requests must not matter, and a change of speed must show soon. */
const chunkTime = 2000;

/** How a content is read over several connections. */
export interface ParallelReading {
  /** The limits. */
  parallel: Parallel;
  /** Ends all requests. */
  signal: AbortSignal | undefined;
  /** `lent`: each piece is valid only until the third piece after it is requested. */
  how: 'lent' | undefined;
  /** The number of contents that are being read now, this one included: they share the speed of the line. */
  readings: () => number;
}

/**
 * The bytes of a part of a large blob in their order: first over one connection, and over several if that one is slow.
 * If several connections do not work, a single one fetches the rest.
 */
export async function* piecesInParallel(
  blob: RemoteBlob,
  range: ResolvedRange,
  size: number,
  first: BlobPart,
  { parallel, signal, how, readings }: ParallelReading,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { enough } = parallel;
  const window = new ChunkWindow(blob, range.end, size, parallel, signal);
  const speed = new Speed();
  let at = range.start;
  /** Up to where this connection reads. */
  let end = enough === Number.POSITIVE_INFINITY ? window.begin(at) : range.end;
  try {
    for await (const piece of speed.measured(blob.pieces(range, size, first, how))) {
      const part = piece.subarray(0, end - at);
      at += part.length;
      yield part;
      if (at === end && end < range.end) break;
      if (end < range.end || speed.bytes < probe) continue;
      const isSlow = speed.perSecond < enough / readings();
      if (isSlow && speed.milliseconds < waitedLong) continue;
      if (isSlow && range.end - at > probe) end = window.begin(at, speed.perSecond);
      speed.reset();
    }
    for await (const piece of window.pieces()) {
      at += piece.length;
      yield piece;
    }
    window.close();
    // A single connection may bring what several could not; if it cannot, its error says why.
    if (at < range.end) yield* blob.pieces({ start: at, end: range.end }, size, undefined, how);
  } finally {
    window.close();
  }
}

/** Bytes per time spent waiting for them. The time that the reader takes does not count. */
class Speed {
  bytes = 0;
  milliseconds = 0;

  get perSecond(): number {
    return (this.bytes * 1000) / Math.max(this.milliseconds, 0.1);
  }

  reset(): void {
    this.bytes = 0;
    this.milliseconds = 0;
  }

  async *measured(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    let since = performance.now();
    for await (const piece of pieces) {
      this.milliseconds += performance.now() - since;
      this.bytes += piece.length;
      yield piece;
      since = performance.now();
    }
  }
}

interface Chunk extends ResolvedRange {
  /** Pieces that have come and were not handed on. */
  readonly pieces: Uint8Array[];
  state: 'coming' | 'whole' | 'failed';
}

/** Chunks that are fetched ahead of the reader, each over its own connection, with a bounded number of bytes in all. */
class ChunkWindow {
  readonly #blob: RemoteBlob;
  readonly #end: number;
  readonly #size: number;
  readonly #parallel: Parallel;
  readonly #link: LinkedSignal;
  readonly #chunks: Chunk[] = [];
  #chunkSize: number;
  /** The position of the next chunk. */
  #next: number;
  /** Bytes of all chunks that were begun and not handed on. */
  #held = 0;
  #running = 0;
  #connections = 0;
  #isClosed = false;
  #wake: (() => void) | undefined;

  constructor(blob: RemoteBlob, end: number, size: number, parallel: Parallel, signal: AbortSignal | undefined) {
    this.#end = end;
    this.#next = end;
    this.#size = size;
    this.#parallel = parallel;
    this.#link = linkSignal(signal);
    this.#blob = blob.with(this.#link.signal);
    this.#chunkSize = this.#bounded(probe);
  }

  /**
   * Begins to fetch the chunks after the next one; the reader fetches that one itself.
   *
   * @param perSecond the speed of a connection in bytes, if it is known
   * @returns the end of that chunk
   */
  begin(at: number, perSecond?: number): number {
    if (perSecond !== undefined) this.#adapt(perSecond);
    const end = Math.min(at + this.#chunkSize, this.#end);
    this.#next = end;
    this.#connections = this.#parallel.ranges - 1;
    this.#fill();
    return end;
  }

  /** The bytes of the chunks in their order, up to the first one that cannot be fetched in this way. */
  async *pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    this.#connections = this.#parallel.ranges;
    this.#fill();
    for (let chunk = this.#chunks.shift(); chunk !== undefined; chunk = this.#chunks.shift()) {
      while (chunk.pieces.length > 0 || chunk.state === 'coming') {
        const piece = chunk.pieces.shift();
        if (piece === undefined) {
          await this.#change();
          continue;
        }
        yield piece;
        this.#held -= piece.length;
        this.#fill();
      }
      if (chunk.state === 'failed') return;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#link.unlink();
    this.#link.abort(new DOMException('the chunk is no longer wanted', 'AbortError'));
  }

  #fill(): void {
    while (!this.#isClosed && this.#running < this.#connections && this.#next < this.#end) {
      const end = Math.min(this.#next + this.#chunkSize, this.#end);
      if (this.#held > 0 && this.#held + end - this.#next > this.#parallel.memory) return;
      const chunk: Chunk = { start: this.#next, end, pieces: [], state: 'coming' };
      this.#next = end;
      this.#held += end - chunk.start;
      this.#chunks.push(chunk);
      this.#running++;
      void this.#fetch(chunk);
    }
  }

  /** Does not reject: a single connection fetches the rest, and its error says what is wrong. */
  async #fetch(chunk: Chunk): Promise<void> {
    const began = performance.now();
    try {
      const part = await this.#blob.get(chunk);
      if (part.start === chunk.start) {
        for await (const piece of this.#blob.pieces(chunk, this.#size, part)) {
          chunk.pieces.push(piece);
          this.#wake?.();
        }
        chunk.state = 'whole';
        this.#adapt(((chunk.end - chunk.start) * 1000) / Math.max(performance.now() - began, 1));
      } else {
        await part.response.discard();
      }
    } catch {
      // See above.
    }
    if (chunk.state === 'coming') {
      chunk.state = 'failed';
      // No further ones.
      this.#isClosed = true;
    }
    this.#running--;
    this.#fill();
    this.#wake?.();
  }

  async #change(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  #adapt(perSecond: number): void {
    this.#chunkSize = this.#bounded((perSecond * chunkTime) / 1000);
  }

  /** All connections have to find room at the same time. */
  #bounded(bytes: number): number {
    const most = this.#parallel.memory / this.#parallel.ranges;
    return Math.max(1, Math.floor(Math.min(most, Math.max(bytes, smallestChunk))));
  }
}
