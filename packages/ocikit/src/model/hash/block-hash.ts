// The part that SHA-256 and SHA-512 share: cutting the content into blocks, and padding it.
import type { Hash } from './hash.ts';

/** The parts in which the hashes of FIPS 180-4 differ. */
export interface BlockAlgorithm {
  /** The size of a block in bytes. */
  blockSize: number;
  /** The initial state. After the last block, the words of the state are the hash. */
  initial: Int32Array;
  /** Updates the state with the block that starts at byte `at`. */
  compress: (state: Int32Array, bytes: DataView, at: number) => void;
}

/** A running hash: its state, and the bytes of an incomplete block. */
export class BlockHash implements Hash {
  readonly #algorithm: BlockAlgorithm;
  readonly #state: Int32Array;
  readonly #block: Uint8Array;
  /** Bytes so far. */
  #length = 0;

  constructor(algorithm: BlockAlgorithm) {
    this.#algorithm = algorithm;
    this.#state = algorithm.initial.slice();
    this.#block = new Uint8Array(algorithm.blockSize);
  }

  update(bytes: Uint8Array): void {
    const { blockSize } = this.#algorithm;
    const filled = this.#length % blockSize;
    this.#length += bytes.length;
    let rest = bytes;
    if (filled > 0) {
      this.#block.set(bytes.subarray(0, blockSize - filled), filled);
      if (filled + bytes.length < blockSize) return;
      this.#compress(this.#state, this.#block);
      rest = bytes.subarray(blockSize - filled);
    }
    const end = rest.length - (rest.length % blockSize);
    this.#compress(this.#state, rest.subarray(0, end));
    this.#block.set(rest.subarray(end));
  }

  /** Pads the last block with one bit, zeros, and the number of bits. FIPS 180-4, section 5.1. */
  digest(): Uint8Array {
    const { blockSize } = this.#algorithm;
    const filled = this.#length % blockSize;
    const hasRoom = filled < blockSize - blockSize / 8;
    const last = new Uint8Array(hasRoom ? blockSize : 2 * blockSize);
    last.set(this.#block.subarray(0, filled));
    last[filled] = 0x80;
    const count = new DataView(last.buffer, last.length - 8);
    count.setUint32(0, this.#length / 2 ** 29);
    count.setUint32(4, this.#length << 3);
    const state = this.#state.slice();
    this.#compress(state, last);
    const hash = new DataView(new ArrayBuffer(state.byteLength));
    for (const [i, word] of state.entries()) hash.setInt32(4 * i, word);
    return new Uint8Array(hash.buffer);
  }

  /** @param bytes whole blocks */
  #compress(state: Int32Array, bytes: Uint8Array): void {
    const { blockSize, compress } = this.#algorithm;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at < bytes.length; at += blockSize) compress(state, view, at);
  }
}
