/** A body that had come before its request was looked at: whoever knows it need not wait for pieces of it. */
export class BufferedBody implements AsyncIterable<Uint8Array> {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    yield this.bytes;
  }
}
