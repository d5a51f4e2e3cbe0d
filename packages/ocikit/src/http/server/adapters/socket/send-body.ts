import type { Socket } from 'node:net';

import type { BlobContent } from '../../../../model/index.ts';

import { BufferPool, smallBuffer } from './buffer-pool.ts';
import type { ResponseWriter } from './response-writer.ts';

const pool = new BufferPool();

/** Ends a response with what is in memory. */
export function endWith(response: ResponseWriter, body: Uint8Array | string | undefined): void {
  // Node sends the head and a text in one write, but bytes in a write of their own: so small ones go as a text of bytes.
  if (body instanceof Uint8Array && body.length <= smallBody) {
    response.end(Buffer.from(body.buffer, body.byteOffset, body.length).toString('latin1'), 'latin1');
  } else response.end(body);
}

/** Up to here, copying bytes costs less than a write of several parts. */
const smallBody = 16 * 1024;

/**
 * Sends a content and ends the response; rejects if the content fails. If the client leaves, it lets go and resolves.
 *
 * @param begin sends the head. It is called when the first bytes are there: until then an error can still be answered
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

/** In one write it could not be seen whether a slow client still takes something of it. */
export async function sendBytes(
  response: ResponseWriter,
  socket: Socket,
  bytes: Uint8Array,
  timeout: number,
  begin: () => void,
): Promise<void> {
  const sink = new Sink(response, socket, timeout, begin);
  try {
    for (let at = 0; at < bytes.length; at += smallBuffer) {
      sink.write(bytes.subarray(at, at + smallBuffer));
      await sink.room();
      if (sink.closed) return;
    }
    sink.end();
  } finally {
    sink.release();
  }
}

/** All of a content, in one piece. */
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

/** While one buffer is on its way to the client, the next one is filled. */
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
      // Begun before the write, which copies on this thread: the two are to go on at the same time.
      reading = content.readInto(filling);
      sent = sink.written(piece);
    }
    settled = !sink.closed;
  } finally {
    // It may still be filling a buffer, and what goes wrong with it is nobody's any more.
    await reading.catch(() => undefined);
    for (const buffer of [filling, sending]) {
      if (settled) pool.giveBack(buffer);
      else pool.drop(buffer);
    }
  }
}

/**
 * A response to write to. Neither `drain` nor a write's callback comes when the client leaves while the response still
 * waits behind another one, so both are raced with the end of the connection.
 */
class Sink {
  readonly #response: ResponseWriter;
  readonly #socket: Socket;
  readonly #onClose: () => void;
  readonly #timeout: number;
  readonly #begin: () => void;
  #wake: (() => void) | undefined;
  closed: boolean;

  /** @param timeout milliseconds after which a client that takes nothing is left */
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

  write(bytes: Uint8Array): void {
    if (!this.#response.headersSent) this.#begin();
    this.#response.write(bytes);
  }

  end(): void {
    if (!this.#response.headersSent) this.#begin();
    this.#response.end();
  }

  /** Until the response takes more. */
  async room(): Promise<void> {
    if (!this.#response.writableNeedDrain || this.closed) return;
    await this.#wait((resolve) => this.#response.once('drain', resolve));
  }

  /** Until the bytes have left and their buffer can be used again. */
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

  release(): void {
    this.#socket.removeListener('close', this.#onClose);
    this.#response.removeListener('close', this.#onClose);
  }
}
