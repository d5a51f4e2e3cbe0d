// The bytes of an upload, in memory.
import { createContent, mediaTypes } from '../../model/index.ts';
import type { BlobContent, ByteRange, Digest } from '../../model/index.ts';

import type { BlobStage } from './blob-store.ts';

const smallestBlock = 4 * 1024;
const largestBlock = 1024 * 1024;

/** Collects bytes in memory, in blocks of growing size. This avoids many small pieces, and copying one large buffer. */
export class MemoryStage implements BlobStage {
  readonly #keep: (repository: string, digest: Digest, pieces: readonly Uint8Array[]) => Promise<void> | void;
  #blocks: Uint8Array[] = [];
  /** Bytes in use in the last block. All other blocks are full. */
  #filled = 0;

  constructor(keep: (repository: string, digest: Digest, pieces: readonly Uint8Array[]) => Promise<void> | void) {
    this.#keep = keep;
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.length > 0;) {
      const block = this.#blockWithRoom(rest.length);
      const count = Math.min(block.length - this.#filled, rest.length);
      block.set(rest.subarray(0, count), this.#filled);
      this.#filled += count;
      rest = rest.subarray(count);
    }
  }

  #blockWithRoom(wanted: number): Uint8Array {
    const last = this.#blocks.at(-1);
    if (last !== undefined && this.#filled < last.length) return last;
    const grown = Math.max(wanted, smallestBlock, (last?.length ?? 0) * 2);
    const block = new Uint8Array(Math.min(grown, largestBlock));
    this.#blocks.push(block);
    this.#filled = 0;
    return block;
  }

  async truncate(size: number): Promise<void> {
    let end = 0;
    for (const [i, block] of this.#blocks.entries()) {
      if (end + block.length >= size) {
        this.#filled = size - end;
        this.#blocks.length = size === 0 ? 0 : i + 1;
        return;
      }
      end += block.length;
    }
  }

  read(size: number, range?: ByteRange): BlobContent {
    const descriptor = { mediaType: mediaTypes.octetStream, digest: 'none:upload', size } as const;
    return createContent({ descriptor, range, source: { pieces: this.#pieces() } });
  }

  async release(): Promise<void> {
    // There is no file to close.
  }

  async keep(repository: string, digest: Digest): Promise<void> {
    const pieces = this.#pieces();
    const last = pieces.at(-1);
    // Without a copy, the unused part of the last block would stay allocated with the blob.
    if (last !== undefined && last.byteLength < last.buffer.byteLength) pieces[pieces.length - 1] = last.slice();
    await this.#keep(repository, digest, pieces);
    this.#blocks = [];
  }

  async discard(): Promise<void> {
    this.#blocks = [];
    this.#filled = 0;
  }

  #pieces(): Uint8Array[] {
    const last = this.#blocks.at(-1);
    return last === undefined ? [] : [...this.#blocks.slice(0, -1), last.subarray(0, this.#filled)];
  }
}
