// The function that sends requests, and its faster forms of bodies.

/**
 * A function that sends a request: the global `fetch`, or another one of the same shape.
 *
 * It gets a body in one piece, or as a `ReadableStream` with its size in `Content-Length` and `duplex: 'half'`. A
 * function that is faster with an AsyncIterable of bytes sets {@link takesIterables}.
 *
 * @example
 * const traced: Fetch = (url, init) => {
 *   console.error(init.method, url);
 *   return fetch(url, init);
 * };
 */
export interface Fetch {
  (url: string, init: RequestInit): Promise<Response>;
  /** True if the body of a request may be an `AsyncIterable<Uint8Array>`. */
  readonly [takesIterables]?: true;
}

/** The key of the property by which a {@link Fetch} accepts an `AsyncIterable<Uint8Array>` as a body. */
export const takesIterables: unique symbol = Symbol.for('ocikit.fetch.takesIterables');

/**
 * The key of the property under which a `Response` may offer its body without the cost of a `ReadableStream`. The body
 * is read once, by this property or by `body`.
 */
export const rawBody: unique symbol = Symbol.for('ocikit.fetch.rawBody');

/** A `Response` that may offer its raw body. */
export interface RawBody {
  /** The raw body. Ending the iteration early ends the connection. */
  readonly [rawBody]?: RawBytes;
}

/** The bytes of a body, in pieces as they arrive. */
export interface RawBytes extends AsyncIterable<Uint8Array> {
  /**
   * Allows the sender to reuse memory: a piece is then valid only until the third piece after it is asked for. Call it
   * before reading.
   */
  lend?(): void;
  /**
   * Decodes pieces by an encoding of `Content-Encoding`: present if the body comes as it was sent. A `fetch` without
   * raw bodies decodes by itself.
   *
   * @throws TypeError if it does not know the encoding
   */
  decode?(encoding: string, pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
}
