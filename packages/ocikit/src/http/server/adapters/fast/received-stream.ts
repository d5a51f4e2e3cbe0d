// A body while it arrives, as a stream that a request's body reads.
import type { BodyMemory, BodyStream } from '../socket/index.ts';

/** Stops and starts reading from the connection. */
export interface Flow {
  /** Stops reading: the client has to wait. */
  pause(): void;
  /** Reads again. */
  resume(): void;
}

/** Finds the body in the bytes of its connection. */
export interface BodyDecoder {
  /** The bytes behind the body, once the body has ended. */
  readonly rest: Buffer | undefined;
  /**
   * Takes the next bytes of the connection, and may change them.
   *
   * @returns the content, in the same memory and at its beginning
   * @throws RegistryError BAD_REQUEST if the body is malformed
   */
  decode(bytes: Buffer): Buffer;
}

type Listener = (piece: Buffer) => void;

/** A body that arrives. It emits its content in the pieces in which the connection delivers it. */
export class ReceivedStream implements BodyStream {
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #decoder: BodyDecoder;
  readonly #flow: Flow;
  #memory: BodyMemory | undefined;
  #isFlowing = false;
  #isDiscarded = false;
  /** Content that arrived before its reader wanted it. */
  #held: Buffer[] = [];
  readonly socket: object;
  /** True if the connection can read into the memory of the body. */
  readsDirectly = false;
  /** True if the rest of the body is received even if no handler reads it. */
  isShort = false;
  readableEnded = false;
  destroyed = false;
  errored: Error | null = null;

  constructor(decoder: BodyDecoder, flow: Flow, socket: object) {
    this.#decoder = decoder;
    this.#flow = flow;
    this.socket = socket;
  }

  /** True once the last byte of the body has arrived. */
  get isComplete(): boolean {
    return this.#decoder.rest !== undefined;
  }

  /** The bytes of the connection behind the body; undefined if there are none yet. */
  get rest(): Buffer | undefined {
    const { rest } = this.#decoder;
    return rest === undefined || rest.length === 0 ? undefined : rest;
  }

  /** All content of a complete body that no reader has begun to read. */
  get content(): Buffer {
    const [only] = this.#held;
    return only !== undefined && this.#held.length === 1 ? only : Buffer.concat(this.#held);
  }

  /** Takes bytes of the connection. They may be changed. A body that is malformed fails. */
  feed(bytes: Buffer): void {
    if (this.destroyed) return;
    let content: Buffer;
    try {
      content = this.#decoder.decode(bytes);
      // Content keeps all of its memory. Among large extensions, that would be far more than the server counts.
      if (this.#memory?.holds(bytes) !== true && content.length * 2 < bytes.length) content = Buffer.from(content);
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    if (this.#isDiscarded) return;
    this.#memory?.keep(content, bytes.length);
    if (content.length > 0) {
      if (this.#isFlowing) this.#emit('data', content);
      else this.#held.push(content);
    }
    if (this.isComplete) this.#emitEnd();
    else if (!this.#isFlowing) this.#flow.pause();
  }

  readInto(memory: BodyMemory): void {
    this.#memory = memory;
  }

  /** Memory for the next bytes of the connection; undefined if no reader has given any. */
  room(): Uint8Array | undefined {
    return this.#memory?.room();
  }

  /** Fails the body, unless it is complete: its connection has closed. */
  close(): void {
    if (this.isComplete || this.destroyed) return;
    this.destroyed = true;
    this.#emit('close');
  }

  /** Drops all content from now on: no reader wants it. */
  discard(): void {
    this.#isDiscarded = true;
    this.#memory = undefined;
    this.#held = [];
  }

  on(event: string, listener: Listener): void {
    const listeners = this.#listeners.get(event);
    if (listeners === undefined) this.#listeners.set(event, new Set([listener]));
    else listeners.add(listener);
  }

  off(event: string, listener: Listener): void {
    this.#listeners.get(event)?.delete(listener);
  }

  #emit(event: 'data' | 'end' | 'close', piece: Buffer = Buffer.alloc(0)): void {
    for (const listener of this.#listeners.get(event) ?? []) listener(piece);
  }

  pause(): void {
    this.#isFlowing = false;
    if (!this.isComplete && !this.#isDiscarded) this.#flow.pause();
  }

  resume(): void {
    this.#isFlowing = true;
    // Later, as in Node's streams: a reader expects no event while it is asking for more.
    queueMicrotask(() => this.#emitHeld());
  }

  #emitHeld(): void {
    while (this.#isFlowing) {
      const content = this.#held.shift();
      if (content === undefined) break;
      this.#emit('data', content);
    }
    if (!this.#isFlowing || this.destroyed) return;
    if (this.isComplete) this.#emitEnd();
    else this.#flow.resume();
  }

  #emitEnd(): void {
    if (!this.#isFlowing || this.readableEnded || this.#held.length > 0) return;
    this.readableEnded = true;
    this.#emit('end');
  }

  #fail(error: Error): void {
    this.destroyed = true;
    this.errored = error;
    // The listeners know that the body has failed, and find the error in `errored`.
    this.#emit('close');
  }
}
