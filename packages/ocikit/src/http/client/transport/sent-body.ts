// The body of a request, as `fetch` takes it.
import { takesIterables } from '../../wire/index.ts';
import type { Fetch } from '../../wire/index.ts';
import { assertSize, sizeMismatch } from '../shared/index.ts';

import type { RequestBody } from './request.ts';

/** The part of a `RequestInit` that concerns the body. */
export interface BodyInit {
  /** The bytes. */
  body?: RequestInit['body'] | AsyncIterable<Uint8Array>;
  /** `half` for streams: the response comes after the body. */
  duplex?: 'half';
}

/** The body of a request that is sent once. */
export class SentBody {
  /** How `fetch` is given the body. */
  readonly init: BodyInit;
  /** The error of the source, which then is the reason of the request's failure. */
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

  /** Releases the source, if it has not been sent to its end. */
  abandon(): void {
    this.#iterator?.return?.().catch(() => undefined);
  }

  /** Exactly the announced number of bytes, if one was announced: a connection does not survive any other number. */
  async *#counted(
    pieces: AsyncIterable<Uint8Array>,
    size: number | undefined,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    let count = 0;
    try {
      for await (const piece of pieces) {
        count += piece.length;
        if (size !== undefined && count > size) throw sizeMismatch(size, count);
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
