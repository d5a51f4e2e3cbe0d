import type { PartialContent } from '../shared/index.ts';

/**
 * What of a blob is kept for the next process. It only saves time, so nothing fails because of it: what cannot be kept, or
 * read any more, is fetched again.
 */
export class KeptPart {
  #partial: PartialContent | undefined;

  constructor(partial: PartialContent | undefined) {
    this.#partial = partial;
  }

  /** Bytes. */
  get size(): number {
    return this.#partial?.size ?? 0;
  }

  /** What was kept, or as much of it as can be read. */
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

  async append(bytes: Uint8Array): Promise<void> {
    try {
      await this.#partial?.append(bytes);
    } catch {
      // The disk is full, for example; a part with a gap would be worse than none.
      await this.remove();
    }
  }

  /** It is whole, or wrong. */
  async remove(): Promise<void> {
    const partial = this.#partial;
    this.#partial = undefined;
    await partial?.remove().catch(() => undefined);
  }

  async close(): Promise<void> {
    const partial = this.#partial;
    this.#partial = undefined;
    await partial?.close().catch(() => undefined);
  }
}
