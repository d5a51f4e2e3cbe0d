// The part of a blob that is saved for the next process.
import type { PartialContent } from '../shared/index.ts';

/**
 * The part of a blob that is saved for the next process. It only saves time, so no call fails because of it: bytes
 * that cannot be saved, or read again, are fetched again.
 */
export class SavedPart {
  #partial: PartialContent | undefined;

  constructor(partial: PartialContent | undefined) {
    this.#partial = partial;
  }

  /** Bytes. */
  get size(): number {
    return this.#partial?.size ?? 0;
  }

  /** Reads the saved bytes, up to the first one that cannot be read. */
  async *read(): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#partial === undefined) return;
    const pieces = this.#partial.read()[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await pieces.next().catch(() => undefined);
        if (next === undefined) await this.remove();
        if (next === undefined || next.done === true) return;
        yield next.value;
      }
    } finally {
      await pieces.return?.();
    }
  }

  /** Saves the bytes that follow. */
  async append(bytes: Uint8Array): Promise<void> {
    try {
      await this.#partial?.append(bytes);
    } catch {
      // For example, the disk is full. A part with a gap would be worse than none.
      await this.remove();
    }
  }

  /** Deletes the saved bytes: the blob is whole, or they are wrong. */
  async remove(): Promise<void> {
    const partial = this.#partial;
    this.#partial = undefined;
    await partial?.remove().catch(() => undefined);
  }

  /** Releases the saved bytes and keeps them. */
  async close(): Promise<void> {
    const partial = this.#partial;
    this.#partial = undefined;
    await partial?.close().catch(() => undefined);
  }
}
