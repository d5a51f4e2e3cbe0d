// Sending the body of a reply: small ones in one write, large ones through reused buffers, with a time limit.
import type { Socket } from 'node:net';

import { RegistryError } from '../../../../model/index.ts';
import type { BlobContent } from '../../../../model/index.ts';

import { BufferPool, smallBuffer } from './buffer-pool.ts';
import { LargeBodies } from './large-bodies.ts';
import type { Sending } from './large-bodies.ts';
import type { ResponseWriter } from './response-writer.ts';

const pool = new BufferPool();
const largeBodies = new LargeBodies();

/** Ends a response with a body that is in memory. */
export function endWith(response: ResponseWriter, body: Uint8Array | string | undefined): void {
  // Node sends the head and a text in one write, but head and bytes in two: so send a small body as a latin1 text.
  if (body instanceof Uint8Array && body.length <= smallBody) {
    response.end(Buffer.from(body.buffer, body.byteOffset, body.length).toString('latin1'), 'latin1');
  } else response.end(body);
}

/** Bytes up to which copying a body costs less than a second write. */
const smallBody = 16 * 1024;

/**
 * Sends content and ends the response. Rejects if the content fails. If the client disconnects, it releases everything
 * and resolves.
 *
 * @param timeout milliseconds after which the connection of a client ends that reads nothing
 * @param begin writes the head. It is called once the first bytes are there: until then an error can still be answered
 */
export async function sendContent(
  response: ResponseWriter,
  socket: Socket,
  content: BlobContent,
  timeout: number,
  begin: () => void,
): Promise<void> {
  if (content.form === 'buffer' && content.range.end - content.range.start <= smallBody) {
    const bytes = await readSmall(content);
    begin();
    endWith(response, bytes);
    return;
  }
  const sink = new Sink(response, socket, timeout, begin);
  try {
    await (content.form === 'buffer' ? sendBuffers(sink, content) : sendPieces(sink, content));
    if (!sink.closed) sink.end();
  } finally {
    sink.release();
    await content.cancel();
  }
}

/**
 * Begins to send a large body that is in memory. Keep only the bytes of the result, not the body.
 *
 * @throws RegistryError TOOMANYREQUESTS if other answers take too much memory
 */
export function beginSending(socket: Socket, body: Uint8Array): Sending {
  const sending = largeBodies.begin(body, () => socket.destroy());
  if (sending !== undefined) return sending;
  throw new RegistryError('TOOMANYREQUESTS', 'the server has no memory for this answer now: try again later', {
    retryAfter: 2,
  });
}

/** Sends bytes in pieces. A single large write would not show whether a slow client still reads. */
export async function sendBytes(
  response: ResponseWriter,
  socket: Socket,
  sending: Sending,
  timeout: number,
  begin: () => void,
): Promise<void> {
  const { bytes } = sending;
  const sink = new Sink(response, socket, timeout, begin);
  try {
    for (let at = 0; at < bytes.length; at += smallBuffer) {
      sink.write(bytes.subarray(at, at + smallBuffer));
      await sink.room();
      if (sink.closed) return;
      sending.progress();
    }
    sink.end();
  } finally {
    sending.end();
    sink.release();
  }
}

/** Reads content into one buffer. */
async function readSmall(content: BlobContent): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(content.range.end - content.range.start);
  try {
    for (let at = 0; at < bytes.length;) at += await content.readInto(bytes.subarray(at));
    return bytes;
  } finally {
    await content.cancel();
  }
}

async function sendPieces(sink: Sink, content: BlobContent): Promise<void> {
  for await (const piece of content) {
    await sink.room();
    if (sink.closed) return;
    sink.write(piece);
  }
}

/** Sends content through two buffers: one is filled while the other one is written. */
async function sendBuffers(sink: Sink, content: BlobContent): Promise<void> {
  const size = content.range.end - content.range.start;
  let filling = pool.take(size);
  let sending = size > filling.length ? pool.take(size) : new Uint8Array(0);
  let reading = content.readInto(filling);
  let sent: Promise<void> = Promise.resolve();
  let settled = false;
  try {
    for (;;) {
      const count = await reading;
      await sent;
      if (count === 0 || sink.closed) break;
      const piece = filling.subarray(0, count);
      [filling, sending] = [sending, filling];
      if (filling.length === 0) filling = pool.take(size);
      // Start the read before the write: the write copies on this thread, and the read runs meanwhile.
      reading = content.readInto(filling);
      sent = sink.written(piece);
      // Nothing waits for it while the read runs, and an error that nothing waits for ends the process.
      sent.catch(() => undefined);
    }
    settled = !sink.closed;
  } finally {
    // Wait for the last read, as it may still fill a buffer. Its error does not matter any more.
    await reading.catch(() => undefined);
    for (const buffer of [filling, sending]) {
      if (settled) pool.giveBack(buffer);
      else pool.drop(buffer);
    }
  }
}

/**
 * A response that stops waiting when the connection closes. If the client disconnects while a pipelined response is
 * queued, Node emits neither `drain` nor the callback of a write. So each wait also ends with `close`.
 */
class Sink {
  readonly #response: ResponseWriter;
  readonly #socket: Socket;
  readonly #onClose: () => void;
  readonly #timeout: number;
  readonly #begin: () => void;
  #wake: (() => void) | undefined;
  /** True once the client has disconnected. */
  closed: boolean;

  constructor(response: ResponseWriter, socket: Socket, timeout: number, begin: () => void) {
    this.#response = response;
    this.#socket = socket;
    this.#timeout = timeout;
    this.#begin = begin;
    this.closed = socket.destroyed;
    this.#onClose = () => {
      this.closed = true;
      this.#wake?.();
    };
    socket.once('close', this.#onClose);
    response.once('close', this.#onClose);
  }

  /** Writes bytes whose buffer is not used again. */
  write(bytes: Uint8Array): void {
    if (!this.#response.headersSent) this.#begin();
    this.#response.write(bytes);
  }

  /** Ends the response. */
  end(): void {
    if (!this.#response.headersSent) this.#begin();
    this.#response.end();
  }

  /** Waits until the response takes more bytes, or the connection closes. */
  async room(): Promise<void> {
    if (!this.#response.writableNeedDrain || this.closed) return;
    await this.#wait((resolve) => this.#response.once('drain', resolve));
  }

  /** Writes bytes, and waits until their buffer can be used again or the connection closes. */
  async written(bytes: Uint8Array): Promise<void> {
    if (this.closed) return;
    if (!this.#response.headersSent) this.#begin();
    await this.#wait((resolve) => this.#response.write(bytes, () => resolve()));
  }

  async #wait(start: (resolve: () => void) => void): Promise<void> {
    const timer = setTimeout(() => this.#socket.destroy(), this.#timeout);
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      start(resolve);
    });
    this.#wake = undefined;
    clearTimeout(timer);
  }

  /** Removes the listeners. */
  release(): void {
    this.#socket.removeListener('close', this.#onClose);
    this.#response.removeListener('close', this.#onClose);
  }
}
