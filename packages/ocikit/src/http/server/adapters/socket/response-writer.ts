// The part of Node's `ServerResponse` that sending a reply needs, so that the fast path can send replies too.
import type { OutgoingHttpHeaders } from 'node:http';

/** A response that can be written: Node's `ServerResponse`, or that of the fast path. */
export interface ResponseWriter {
  /** True once the head has been written or queued. */
  readonly headersSent: boolean;
  /** True once nothing can be written any more. */
  readonly destroyed: boolean;
  /** True while the connection's buffer is full: wait for `drain` before the next write. */
  readonly writableNeedDrain: boolean;
  /**
   * Sets the head. It goes out with the first bytes of the body.
   *
   * @throws Error if the status or a header is not allowed by HTTP; then nothing has been written
   */
  writeHead(status: number, headers: OutgoingHttpHeaders): unknown;
  /**
   * Writes a piece of the body.
   *
   * @param whenWritten called when the buffer of the bytes can be used again
   */
  write(bytes: Uint8Array, whenWritten?: () => void): unknown;
  /** Writes the last piece and ends the response. */
  end(body?: Uint8Array | string): unknown;
  /** Writes the last piece, a text of one byte per character, and ends the response. */
  end(body: string, encoding: 'latin1'): unknown;
  /** Calls a listener at the next `drain`, or when the response closes. */
  once(event: 'drain' | 'close', listener: () => void): unknown;
  /** Removes a listener for `close`. */
  removeListener(event: 'close', listener: () => void): unknown;
}
