// Parts of a blob out of one response that has all of it.
import type { ResolvedRange } from '../../../model/index.ts';

/** Takes parts, in the order of the blob's bytes, out of a response that has all bytes of a range. */
export class WholeBlobRun {
  readonly #pieces: AsyncIterator<Uint8Array>;
  readonly #end: number;
  #position: number;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(pieces: AsyncIterable<Uint8Array>, { start, end }: ResolvedRange) {
    this.#pieces = pieces[Symbol.asyncIterator]();
    this.#position = start;
    this.#end = end;
  }

  /** Whether a part is among the bytes that have not been read. */
  comesTo({ start, end }: ResolvedRange): boolean {
    return this.#position <= start && end <= this.#end;
  }

  /** The bytes of a part. */
  async *take({ start, end }: ResolvedRange): AsyncGenerator<Uint8Array, void, undefined> {
    while (this.#position < end) {
      if (this.#rest.length === 0) {
        const next = await this.#pieces.next();
        if (next.done === true) return;
        this.#rest = next.value;
      }
      const skipped = this.#rest.subarray(0, Math.max(0, start - this.#position));
      const wanted = this.#rest.subarray(skipped.length, skipped.length + end - Math.max(start, this.#position));
      this.#rest = this.#rest.subarray(skipped.length + wanted.length);
      this.#position += skipped.length + wanted.length;
      if (wanted.length > 0) yield wanted;
    }
  }

  /** Releases the response. */
  async close(): Promise<void> {
    await this.#pieces.return?.();
  }
}
