// Sources of bytes for pushes: in pieces, failing, hanging, or too long.
import type { BlobUpload } from '../../model/index.ts';

/** The bytes in pieces of this size, as from a network. */
export async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** The bytes as a stream, in pieces of this size. */
export function streamOf(bytes: Uint8Array, size: number): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= bytes.length) controller.close();
      else controller.enqueue(bytes.slice(at, (at += size)));
    },
  });
}

/** Gives the bytes and then fails. */
export async function* failingAfter(bytes: Uint8Array, error: unknown): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
  throw error;
}

/** A source that stays open until it is told to end, so that a test can act in the middle of a transfer. */
export interface OpenSource extends AsyncIterable<Uint8Array> {
  /** Resolves once the bytes were taken and more is asked for. */
  readonly waiting: Promise<void>;
  /** Whether its reader has released it before its end. */
  readonly released: boolean;
  /** Lets it end. */
  end(): void;
}

/** Gives the bytes, and then nothing more until it is ended or released. */
export function openSource(bytes: Uint8Array): OpenSource {
  const rest = [bytes];
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  let reached = (): void => undefined;
  const waiting = new Promise<void>((resolve) => (reached = resolve));
  let released = false;
  return {
    waiting,
    get released() {
      return released;
    },
    end: () => {
      end();
    },
    // Written by hand: a generator cannot be released while it waits.
    [Symbol.asyncIterator]: () => ({
      async next() {
        const value = rest.shift();
        if (value !== undefined) return { done: false, value };
        reached();
        await ended;
        return { done: true, value: undefined };
      },
      async return() {
        released = true;
        end();
        return { done: true, value: undefined };
      },
    }),
  };
}

/** Bytes that may be read of a {@link longSource} before it is released. */
export const readLimit: number = 16 * 1024 * 1024;

/** Longer than any reader may read, but not endless: a reader without a limit must not fill the memory. */
export function longSource(): AsyncIterable<Uint8Array> & { readonly taken: number; readonly released: boolean } {
  let taken = 0;
  let released = false;
  return {
    get taken() {
      return taken;
    },
    get released() {
      return released;
    },
    async *[Symbol.asyncIterator]() {
      try {
        while (taken < readLimit * 2) {
          const piece = new Uint8Array(65_536);
          taken += piece.length;
          yield piece;
          // Lets timers run, as a real source does, so that a reader without a limit is seen as late.
          await new Promise((resolve) => setTimeout(resolve, 0));
        }
      } finally {
        released = true;
      }
    },
  };
}

/** The length of a chunk: this one, or the minimum that the registry demands. */
export function chunkLength(upload: BlobUpload, length: number): number {
  return Math.max(length, upload.minimumChunk ?? 0);
}
