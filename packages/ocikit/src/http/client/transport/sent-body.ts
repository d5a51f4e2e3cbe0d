import { takesIterables } from '../../wire/index.ts';
import type { Fetch } from '../../wire/index.ts';

import { assertSize, wrongSize } from '../shared/index.ts';
import type { RequestBody } from './request.ts';

/** What of a `RequestInit` concerns the body. */
export interface BodyInit {
  body?: RequestInit['body'] | AsyncIterable<Uint8Array>;
  duplex?: 'half';
}

/** A request's body on its way, once. */
export class SentBody {
  readonly init: BodyInit;
  /** What its source has failed with: the reason of whatever then becomes of the request. */
  failure: { error: unknown } | undefined;
  readonly #iterator: AsyncIterator<Uint8Array> | undefined;

  constructor(body: RequestBody, fetch: Fetch) {
    const opened = body.open();
    if (opened instanceof Uint8Array) {
      // `fetch` takes no shared memory.
      this.init = { body: opened.buffer instanceof ArrayBuffer ? (opened as Uint8Array<ArrayBuffer>) : opened.slice() };
      return;
    }
    const iterator = this.#counted(opened, body.size);
    this.#iterator = iterator;
    this.init = fetch[takesIterables] === true ? { body: iterator } : { body: streamOf(iterator), duplex: 'half' };
  }

  /** Lets go of the source, if not all of it has been sent. */
  abandon(): void {
    this.#iterator?.return?.().catch(() => undefined);
  }

  /** The bytes, exactly as many as were announced if it was said how many: a connection would not get over another number. */
  async *#counted(
    pieces: AsyncIterable<Uint8Array>,
    size: number | undefined,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    let count = 0;
    try {
      for await (const piece of pieces) {
        count += piece.length;
        if (size !== undefined && count > size) throw wrongSize(size, count);
        if (piece.length > 0) yield piece;
      }
      assertSize(size, count);
    } catch (error) {
      this.failure = { error };
      throw error;
    }
  }
}

function streamOf(iterator: AsyncIterator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await iterator.next();
        if (next.done === true) controller.close();
        else controller.enqueue(next.value);
      },
      async cancel() {
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}
