import type { BlobUpload } from '../../model/index.ts';

/** Bytes as they arrive from a network: in pieces, of which some may be empty. */
export async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

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

/** A source that stays open until it is told to end: what a test does meanwhile happens in the middle of a transfer. */
export interface OpenSource extends AsyncIterable<Uint8Array> {
  /** Resolves once the bytes were taken and more is asked for. */
  readonly waiting: Promise<void>;
  /** Whether the one who reads it has let go of it before its end. */
  readonly left: boolean;
  /** Lets it end. */
  end(): void;
}

/** Gives the bytes, and then nothing more until it is ended or left. */
export function openSource(bytes: Uint8Array): OpenSource {
  const rest = [bytes];
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  let reached = (): void => undefined;
  const waiting = new Promise<void>((resolve) => (reached = resolve));
  let left = false;
  return {
    waiting,
    get left() {
      return left;
    },
    end: () => {
      end();
    },
    // Written by hand: a generator that waits cannot be left.
    [Symbol.asyncIterator]: () => ({
      async next() {
        const value = rest.shift();
        if (value !== undefined) return { done: false, value };
        reached();
        await ended;
        return { done: true, value: undefined };
      },
      async return() {
        left = true;
        end();
        return { done: true, value: undefined };
      },
    }),
  };
}

/** How much of a {@link longSource} may be taken before it is left. */
export const fairShare: number = 16 * 1024 * 1024;

/** As good as endless, but it ends, lest whoever reads on fills the memory; tells how many bytes were taken. */
export function longSource(): AsyncIterable<Uint8Array> & { readonly taken: number; readonly left: boolean } {
  let taken = 0;
  let left = false;
  return {
    get taken() {
      return taken;
    },
    get left() {
      return left;
    },
    async *[Symbol.asyncIterator]() {
      try {
        while (taken < fairShare * 2) {
          const piece = new Uint8Array(65_536);
          taken += piece.length;
          yield piece;
          // Lets timers run, as a real source does: what never stops reading can then be seen as late.
          await new Promise((resolve) => setTimeout(resolve, 0));
        }
      } finally {
        left = true;
      }
    },
  };
}

/** As long as asked for, unless the registry wants longer ones. */
export function chunkLength(upload: BlobUpload, length: number): number {
  return Math.max(length, upload.minimumChunk ?? 0);
}
