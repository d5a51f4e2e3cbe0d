/**
 * What sends a request: the global `fetch`, or one with the same shape.
 *
 * A body is given to it in one piece or as a `ReadableStream`, then with its size in `Content-Length` and `duplex: 'half'`.
 * A fetch that can do better with an AsyncIterable of bytes says so by {@link takesIterables}.
 */
export interface Fetch {
  (url: string, init: RequestInit): Promise<Response>;
  readonly [takesIterables]?: true;
}

/** The key by which a {@link Fetch} says that a request's body may be an `AsyncIterable<Uint8Array>`. */
export const takesIterables: unique symbol = Symbol.for('ocikit.fetch.takesIterables');

/**
 * The key under which a `Response` of a special {@link Fetch} offers its body as it comes, without the cost of a
 * `ReadableStream`. It is read once, in this way or by `body`.
 */
export const rawBody: unique symbol = Symbol.for('ocikit.fetch.rawBody');

/** A body as it comes. Leaving the iteration ends the connection. */
export interface RawBody {
  readonly [rawBody]?: RawBytes;
}

export interface RawBytes extends AsyncIterable<Uint8Array> {
  /** Said before it is read: each piece need be good only until the third after it is asked for, so that its memory can be used again. */
  lend?(): void;
}
