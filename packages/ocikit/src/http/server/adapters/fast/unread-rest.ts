// The rest of a body that no handler reads.
import type { Socket } from 'node:net';

/** Bytes that are received and discarded before the connection is cut off. */
const mostBytes = 16 * 1024 * 1024;
/** Milliseconds before the connection is cut off. */
const longestWait = 5000;

/**
 * Bounds what a client may still send after its answer. The connection closes earlier when the client ends its side.
 */
export class UnreadRest {
  readonly #socket: Socket;
  readonly #timer: ReturnType<typeof setTimeout>;
  #size = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#timer = setTimeout(() => socket.destroy(), longestWait);
  }

  /** Counts bytes that were received. */
  count(bytes: number): void {
    this.#size += bytes;
    if (this.#size > mostBytes) this.#socket.destroy();
  }

  /** The connection has closed. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}
