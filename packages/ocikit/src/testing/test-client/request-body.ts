// The body of a request, made of a source of bytes.
import { readSource, RegistryError } from '../../model/index.ts';
import type { BlobSource } from '../../model/index.ts';

/** The body of a request. */
export interface Body {
  /** Its size in bytes; undefined if it is not known before the end. */
  readonly length: number | undefined;
  /** The bytes to send. */
  readonly content: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
  /** Bytes that were read from the source so far. */
  readonly taken: number;
  /** Throws the error of the source, if it failed. */
  assertSource(): void;
}

/** Options of {@link bodyOf}. */
export interface BodyOptions {
  /** The expected number of bytes. One byte more is sent of a longer source, so that the server notices. */
  size?: number | undefined;
  /** Ends reading the source. */
  signal?: AbortSignal | undefined;
  /** Called with the bytes sent so far. */
  onBytes?: ((transferred: number) => void) | undefined;
}

/**
 * A source as a request's body. If the source fails, the body ends and the server keeps the bytes before. The caller
 * then has to call {@link Body.assertSource}.
 */
export async function bodyOf(source: BlobSource, options: BodyOptions = {}): Promise<Body> {
  const opened = typeof source === 'function' ? await source() : source;
  // A stream cannot be announced as empty, so its first piece is read.
  const bytes = options.size === 0 ? await firstPiece(opened) : await bytesAtHand(opened);
  if (bytes === undefined) return new StreamedBody(opened, options);
  return {
    length: bytes.length,
    content: bytes,
    taken: bytes.length,
    assertSource: () => options.onBytes?.(bytes.length),
  };
}

/** A copy, because `fetch` does not accept a shared buffer. */
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
  /** The bytes to send. */
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

  /** The next piece with bytes: a stream does not ask again after an empty one. */
  async #next(pieces: AsyncIterator<Uint8Array, void>): Promise<Uint8Array | undefined> {
    for (;;) {
      const next = await pieces.next();
      if (next.done === true) return undefined;
      if (next.value.length === 0) continue;
      // A copy: the source may reuse its buffer before the piece is sent.
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

/**
 * Compares the size of a source with the announced one.
 *
 * @throws RegistryError SIZE_INVALID
 */
export function assertSize(expected: number | undefined, found: number): void {
  if (expected === undefined || expected === found) return;
  throw new RegistryError(
    'SIZE_INVALID',
    `${expected} bytes were announced, but the source has ${found > expected ? 'more' : found}`,
  );
}
