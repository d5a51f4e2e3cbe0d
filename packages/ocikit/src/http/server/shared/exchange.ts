import type { BlobContent } from '../../../model/index.ts';

/** A request, as far as the server looks at it: each adapter makes one from what its runtime has. */
export interface Exchange {
  readonly method: string;
  /** The path as it came, percent-encoded, without the query. */
  readonly path: string;
  /** The query without its question mark; empty if there is none. */
  readonly query: string;
  /** The value of a header, by its name in lower case; several values are joined by commas. */
  header(name: string): string | undefined;
  /** Undefined if there is none. */
  readonly body: AsyncIterable<Uint8Array> | undefined;
  /** Aborted when the client leaves. */
  readonly signal: AbortSignal;
  /** Who asks; a middleware may set it once it knows. */
  caller?: string | undefined;
}

export interface Reply {
  status: number;
  /** A list is sent as several headers of that name. */
  headers: Record<string, string | readonly string[]>;
  /** Text is sent as UTF-8. For HEAD the server leaves it out. */
  body?: string | Uint8Array | BlobContent | undefined;
}

export type Next = (exchange: Exchange) => Promise<Reply>;

/** Runs around every request: it may answer by itself, hand on another exchange, or change the reply. */
export type Middleware = (exchange: Exchange, next: Next) => Promise<Reply>;

/** What a body throws to end the connection without an answer, or without the rest of one, as a network would. */
export class ConnectionCut extends Error {
  override readonly name = 'ConnectionCut';
}
