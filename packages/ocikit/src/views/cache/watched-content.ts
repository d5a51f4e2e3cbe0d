import type { BlobContent, Descriptor, ResolvedRange } from '../../model/index.ts';

export interface ContentWatch {
  /** Told if reading fails, once. */
  onError: (error: unknown) => void;
  /** Told when nobody will read any more, once. */
  onEnd: () => void;
}

/** A content as it is, and somebody who wants to know how reading it goes. */
export class WatchedContent implements BlobContent {
  readonly #content: BlobContent;
  readonly #watch: ContentWatch;
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

  get form(): 'pieces' | 'buffer' {
    return this.#content.form;
  }

  open(): Promise<void> {
    return this.#watched(this.#content.open());
  }

  async readInto(buffer: Uint8Array): Promise<number> {
    const count = await this.#watched(this.#content.readInto(buffer));
    if (count === 0 && buffer.length > 0) this.#end();
    return count;
  }

  stream(): ReadableStream<Uint8Array> {
    const reader = this.#content.stream().getReader();
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const { done, value } = await this.#watched(reader.read());
          if (!done) {
            controller.enqueue(value);
            return;
          }
          this.#end();
          controller.close();
        },
        cancel: async (reason) => {
          await reader.cancel(reason);
          this.#end();
        },
      },
      { highWaterMark: 0 },
    );
  }

  bytes(limit?: number): Promise<Uint8Array> {
    return this.#watched(this.#content.bytes(limit)).finally(() => this.#end());
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* this.#content;
    } catch (error) {
      this.#fail(error);
      throw error;
    } finally {
      this.#end();
    }
  }

  async cancel(): Promise<void> {
    try {
      await this.#content.cancel();
    } finally {
      this.#end();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cancel();
  }

  async #watched<T>(action: Promise<T>): Promise<T> {
    try {
      return await action;
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  #fail(error: unknown): void {
    if (!this.#hasEnded) this.#watch.onError(error);
    this.#end();
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#watch.onEnd();
  }
}
