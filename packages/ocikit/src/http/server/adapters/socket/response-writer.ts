import type { OutgoingHttpHeaders } from 'node:http';

/** What of Node's `ServerResponse` is needed to send an answer. */
export interface ResponseWriter {
  readonly headersSent: boolean;
  readonly destroyed: boolean;
  readonly writableNeedDrain: boolean;
  /** @throws Error if a header has what no header may have, or the status is none; then nothing has begun */
  writeHead(status: number, headers: OutgoingHttpHeaders): unknown;
  /** @param whenWritten called when the bytes' buffer can be used again */
  write(bytes: Uint8Array, whenWritten?: () => void): unknown;
  end(body?: Uint8Array | string): unknown;
  end(body: string, encoding: 'latin1'): unknown;
  once(event: 'drain' | 'close', listener: () => void): unknown;
  removeListener(event: 'close', listener: () => void): unknown;
}
