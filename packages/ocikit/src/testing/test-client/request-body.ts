import { readSource, RegistryError } from '../../model/index.ts';
import type { BlobSource } from '../../model/index.ts';

/** What a request sends, and what became of it. */
export interface Body {
  /** Undefined if it is only known when all of it has been sent. */
  readonly length: number | undefined;
  readonly content: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
  /** Bytes that were taken from the source so far. */
  readonly taken: number;
  /** Throws what the source has failed with, if it has. */
  assertSource(): void;
}

export interface BodyOptions {
  /** How many bytes there ought to be: of a source that gives more, one too many is sent, so that it is noticed. */
  size?: number | undefined;
  signal?: AbortSignal | undefined;
  onBytes?: ((transferred: number) => void) | undefined;
}

/**
 * A source as a request's body. If the source fails, the body ends: the server has then what came before, and the one
 * who sends it asks {@link Body.assertSource}.
 */
export async function bodyOf(source: BlobSource, options: BodyOptions = {}): Promise<Body> {
  const opened = typeof source === 'function' ? await source() : source;
  // That there are no bytes cannot be said of a stream, so it is looked into.
  const bytes = options.size === 0 ? await firstPiece(opened) : await bytesAtHand(opened);
  if (bytes === undefined) return new StreamedBody(opened, options);
  return {
    length: bytes.length,
    content: bytes,
    taken: bytes.length,
    assertSource: () => options.onBytes?.(bytes.length),
  };
}

/** A copy, as the buffer may be shared, which `fetch` does not take. */
async function bytesAtHand(source: Exclude<BlobSource, () => unknown>): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (source instanceof Uint8Array) return new Uint8Array(source);
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
  return undefined;
}

async function firstPiece(source: BlobSource): Promise<Uint8Array<ArrayBuffer>> {
  for await (const piece of readSource(source)) if (piece.length > 0) return new Uint8Array(piece);
  return new Uint8Array();
}

class StreamedBody implements Body {
  readonly length: number | undefined;
  readonly content: ReadableStream<Uint8Array>;
  readonly #most: number;
  readonly #onBytes: BodyOptions['onBytes'];
  #taken = 0;
  #failure: { error: unknown } | undefined;

  constructor(source: BlobSource, { size, signal, onBytes }: BodyOptions) {
    this.length = size;
    this.#most = size === undefined ? Number.POSITIVE_INFINITY : size + 1;
    this.#onBytes = onBytes;
    const pieces = readSource(source, signal);
    this.content = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          try {
            const piece = await this.#next(pieces);
            if (piece !== undefined) controller.enqueue(piece);
            if (piece === undefined || this.#taken === this.#most) {
              controller.close();
              await pieces.return(undefined);
            }
          } catch (error) {
            this.#failure = { error };
            controller.close();
          }
        },
        cancel: async () => {
          await pieces.return(undefined);
        },
      },
      { highWaterMark: 0 },
    );
  }

  get taken(): number {
    return this.#taken;
  }

  /** A stream that is given no bytes when it asks does not ask again. */
  async #next(pieces: AsyncIterator<Uint8Array, void>): Promise<Uint8Array | undefined> {
    for (;;) {
      const next = await pieces.next();
      if (next.done === true) return undefined;
      if (next.value.length === 0) continue;
      // A copy: its owner may go on to use the buffer before it has been sent.
      const piece = next.value.slice(0, this.#most - this.#taken);
      this.#taken += piece.length;
      this.#onBytes?.(this.#taken);
      return piece;
    }
  }

  assertSource(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

/** @throws RegistryError SIZE_INVALID */
export function assertSize(expected: number | undefined, found: number): void {
  if (expected === undefined || expected === found) return;
  throw new RegistryError(
    'SIZE_INVALID',
    `${expected} bytes were announced, ${found > expected ? 'more' : found} came`,
  );
}
