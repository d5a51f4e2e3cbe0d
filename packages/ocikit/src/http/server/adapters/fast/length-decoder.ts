// Finding the end of a body whose length its client announces.

/** Decodes a body of known length: its content is the bytes themselves. */
export class LengthDecoder {
  /** The bytes that are still to come. */
  #left: number;
  /** The bytes behind the body, once the body has ended. */
  rest: Buffer | undefined;

  /** @param length bytes of the body, at least one */
  constructor(length: number) {
    this.#left = length;
  }

  /** Takes the next bytes of the connection. Returns those that belong to the body, in the same memory. */
  decode(bytes: Buffer): Buffer {
    const content = bytes.subarray(0, this.#left);
    this.#left -= content.length;
    if (this.#left === 0) this.rest = bytes.subarray(content.length);
    return content;
  }
}
