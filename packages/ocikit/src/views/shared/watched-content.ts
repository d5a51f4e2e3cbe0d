// Watches a content: replaces its errors, and tells when its reader has ended.
import { lengthOf } from '../../model/index.ts';
import type { BlobContent, Descriptor, ResolvedRange } from '../../model/index.ts';

/** The parts of a content's reading that a view handles. */
export interface ContentWatch {
  /** The error that its reader gets instead. Default: the same error. */
  failed?: ((error: unknown) => unknown) | undefined;
  /** Called once, when the reader has ended: with the number of bytes read, and the error if the reading failed. */
  ended?: ((bytes: number, failure: { error: unknown } | undefined) => void) | undefined;
}

/** The content with a watch on its reading. */
export function watchContent(content: BlobContent, watch: ContentWatch): BlobContent {
  return new WatchedContent(content, watch);
}

class WatchedContent implements BlobContent {
  readonly #content: BlobContent;
  readonly #watch: ContentWatch;
  #bytes = 0;
  #hasEnded = false;

  constructor(content: BlobContent, watch: ContentWatch) {
    this.#content = content;
    this.#watch = watch;
  }

  get descriptor(): Descriptor {
    return this.#content.descriptor;
  }

  get range(): ResolvedRange {
    return this.#content.range;
  }

  get parts(): readonly ResolvedRange[] | undefined {
    return this.#content.parts;
  }

  get form(): 'pieces' | 'buffer' {
    return this.#content.form;
  }

  open(): Promise<void> {
    return this.#step(this.#content.open());
  }

  ready(how?: 'lent'): Uint8Array | undefined {
    const bytes = this.#content.ready?.(how);
    if (bytes === undefined) return undefined;
    this.#bytes = bytes.length;
    this.#end();
    return bytes;
  }

  async readInto(buffer: Uint8Array): Promise<number> {
    const count = await this.#step(this.#content.readInto(buffer));
    this.#bytes += count;
    // A reader that has all bytes need not ask once more.
    if ((count === 0 && buffer.length > 0) || this.#isWhole()) this.#end();
    return count;
  }

  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#counted(this.#content);
  }

  lent(): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#counted(this.#content.lent());
  }

  async *#counted(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const piece of pieces) {
        this.#bytes += piece.length;
        yield piece;
      }
    } catch (error) {
      throw this.#fail(error);
    } finally {
      this.#end();
    }
  }

  stream(): ReadableStream<Uint8Array> {
    const reader = this.#content.stream().getReader();
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const { done, value } = await this.#step(reader.read());
          if (done) {
            this.#end();
            controller.close();
          } else {
            this.#bytes += value.length;
            controller.enqueue(value);
          }
        },
        cancel: async (reason) => {
          try {
            await reader.cancel(reason);
          } finally {
            this.#end();
          }
        },
      },
      { highWaterMark: 0 },
    );
  }

  async bytes(limit?: number): Promise<Uint8Array> {
    const bytes = await this.#step(this.#content.bytes(limit));
    this.#bytes = bytes.length;
    this.#end();
    return bytes;
  }

  async cancel(): Promise<void> {
    try {
      await this.#step(this.#content.cancel());
    } finally {
      this.#end();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cancel();
  }

  async #step<T>(step: Promise<T>): Promise<T> {
    try {
      return await step;
    } catch (error) {
      throw this.#fail(error);
    }
  }

  #isWhole(): boolean {
    return this.#bytes >= lengthOf(this.#content);
  }

  #fail(error: unknown): unknown {
    this.#end({ error });
    return this.#watch.failed === undefined ? error : this.#watch.failed(error);
  }

  #end(failure?: { error: unknown }): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#watch.ended?.(this.#bytes, failure);
  }
}
