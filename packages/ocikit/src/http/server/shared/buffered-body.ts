// A request's body that is in memory as a whole.

/**
 * The body of a request whose last byte arrived before its handler runs: a handler can take the bytes without waiting.
 */
export class BufferedBody implements AsyncIterable<Uint8Array> {
  /** The whole body. */
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Gives the whole body as one piece. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    yield this.bytes;
  }
}
