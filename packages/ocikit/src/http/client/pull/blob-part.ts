// A part of a blob, as a response has it.
import type { ClientResponse } from '../shared/index.ts';

/** A part of a blob, as a response has it. */
export interface BlobPart {
  /** The response; its body has not been read. */
  readonly response: ClientResponse;
  /** The position of its first byte in the blob. 0 if the registry ignores ranges, whatever range was requested. */
  readonly start: number;
  /** Bytes of the whole blob; undefined if the response does not say. */
  readonly size: number | undefined;
}

/** Reads the body of one response by positions in the blob. */
export class PartReader {
  /** The response that is read. */
  readonly response: ClientResponse;
  readonly #pieces: AsyncIterator<Uint8Array>;
  #position: number;

  /** @param how `lent`: each piece is valid only until the third piece after it is requested */
  constructor({ response, start }: BlobPart, how: 'lent' | undefined) {
    this.response = response;
    this.#pieces = response.body(how)[Symbol.asyncIterator]();
    this.#position = start;
  }

  /** The next bytes at this position or after it; undefined at the end of the part. */
  async next(position: number): Promise<Uint8Array | undefined> {
    for (;;) {
      const next = await this.#pieces.next();
      if (next.done === true) return undefined;
      const skipped = Math.max(0, position - this.#position);
      this.#position += next.value.length;
      if (this.#position > position) return next.value.subarray(skipped);
    }
  }
}
