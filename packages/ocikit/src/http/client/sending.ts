import { HttpError, isRegistryError, RegistryError } from '../../model/index.ts';
import type { CallOptions, Descriptor, Digest } from '../../model/index.ts';

import type { ChunkLimit } from './chunk-limit.ts';
import type { Payload } from './payload.ts';
import type { RequestBody } from './request.ts';
import { sleep } from './retry.ts';
import { isBusy } from './upload-session.ts';
import type { UploadSession } from './upload-session.ts';

/** Bytes of a stream that are held in memory, so that they can be sent again. */
const heldChunk = 4 * 1024 * 1024;
/** As many, if the caller wants chunks of at most so many. */
const heldChunkAtMost = 16 * 1024 * 1024;

/**
 * Bytes of the first chunk after a cut. The registry may not have noticed the cut yet, or still be reading what had come: it then
 * refuses them, and no more than them has been sent in vain.
 */
const feeler = 64 * 1024;

/** How often an upload is asked again that another request still writes to: about a minute, after which servers give up on a connection. */
const maxBusy = 22;

/** How often an upload is asked again that is not where it has just said it was. */
const maxRefused = 5;

export interface SendingOptions {
  session: UploadSession;
  payload: Payload;
  limit: ChunkLimit;
  call: CallOptions;
  /** Where the caller says that the bytes belong. */
  at?: number | undefined;
  /** Bytes of the payload that are in the upload already, which then holds nothing else. */
  from?: number | undefined;
  /** Told how many bytes of the payload have gone so far; never fewer than before. */
  onBytes: (sent: number) => void;
  /** Told where it goes on after it was cut. */
  onResumed: (at: number) => void;
  /** Looks for the blob, in case that the answer to its last bytes was lost. */
  resolve: (digest: Digest) => Promise<Descriptor>;
}

type Outcome<T> = { value: T } | { error: unknown };

/** A payload on its way into an upload. When it is cut, the upload is asked how far it has come, and it goes on from there. */
export class Sending {
  readonly #options: SendingOptions;
  /** Where in the upload the payload begins; NaN if nobody knows. */
  #base: number;
  /** Bytes of the payload that the registry has. */
  #position: number;
  /** Bytes that have been handed on in the present request. */
  #handedOn = 0;
  #opened = 0;
  #told: number;
  /** Nobody knows how much of the last request has arrived. */
  #unsure = false;
  /** The answer to a request was lost, or something may have been done before it was an error. */
  #lost: boolean;
  #refusedAt: number | undefined;
  #feels: boolean;
  #busy = 0;
  #refused = 0;
  #last: unknown;

  constructor(options: SendingOptions) {
    this.#options = options;
    const { from = 0, at = options.session.size } = options;
    this.#position = from;
    this.#base = at - from;
    this.#told = from;
    // Whoever sent it may have been cut a moment ago.
    this.#lost = from > 0;
    this.#feels = from > 0;
  }

  /** Sends all of it, in one request or in chunks. */
  async append(): Promise<void> {
    await this.#run((progress) => this.#appendRest(progress));
  }

  /**
   * Sends what has not been sent yet, and ends the upload with it.
   *
   * @returns the blob's size; NaN if nobody knows
   */
  async commit(digest: Digest): Promise<number> {
    try {
      return await this.#run((progress) => this.#commitRest(digest, progress));
    } catch (error) {
      // It ended with a request whose answer was lost.
      if (!this.#lost || !isRegistryError(error, 'BLOB_UPLOAD_UNKNOWN', 'NOT_FOUND')) throw error;
      const blob = await this.#options.resolve(digest).catch(() => undefined);
      if (blob === undefined) throw error;
      return blob.size;
    }
  }

  async #commitRest(digest: Digest, progress: () => void): Promise<number> {
    const { session, call, at } = this.#options;
    if (this.#left > this.#most || (this.#feels && this.#left > feeler)) await this.#appendRest(progress);
    const body = this.#left === 0 ? undefined : this.#direct(this.#left);
    const says = at !== undefined || this.#lost || this.#base > 0;
    this.#unsure = true;
    this.#handedOn = 0;
    const size = await session.put(digest, body, says ? this.#base + this.#position : Number.NaN, call);
    this.#unsure = false;
    this.#tell(this.#position + this.#handedOn);
    return size ?? this.#base + this.#position + this.#handedOn;
  }

  async #appendRest(progress: () => void): Promise<void> {
    const { session, payload, call } = this.#options;
    while (this.#left > 0) {
      const body = await this.#chunk();
      if (body === undefined) break;
      this.#unsure = true;
      this.#opened = 0;
      this.#handedOn = 0;
      await session.patch(body, this.#base + this.#position, call);
      if (Number.isNaN(session.size)) await session.ask(call);
      this.#unsure = false;
      this.#moveOn();
      this.#feels = false;
      this.#busy = 0;
      this.#refused = 0;
      progress();
      this.#tell(this.#position);
      // It ended there, and the registry has what came before.
      if (payload.failure !== undefined) throw payload.failure.error;
    }
  }

  /** What the answer to a chunk says of how far the upload has come. */
  #moveOn(): void {
    const { session } = this.#options;
    const before = this.#position;
    if (Number.isNaN(this.#base)) this.#base = session.size - this.#handedOn;
    this.#position = session.size - this.#base;
    if (this.#position > before && this.#position <= before + this.#handedOn) return;
    if (this.#position === before && this.#handedOn === 0) return;
    throw new RegistryError(
      'BLOB_UPLOAD_INVALID',
      `the upload stands at byte ${session.size}, though ${this.#handedOn} bytes were sent to byte ${this.#base + before}`,
    );
  }

  get #left(): number {
    return (this.#options.payload.size ?? Number.POSITIVE_INFINITY) - this.#position;
  }

  get #most(): number {
    const { limit, session } = this.#options;
    return Math.max(limit.size, session.minimumChunk ?? 1);
  }

  /** The body of the next request; undefined if there is nothing more. */
  async #chunk(): Promise<RequestBody | undefined> {
    const { payload, session } = this.#options;
    // Where there is a least size, all chunks may have to be of one size.
    const felt = this.#feels && session.minimumChunk === undefined ? feeler : Number.POSITIVE_INFINITY;
    const length = Math.min(this.#left, this.#most, felt);
    // Without a length it cannot say where it belongs, so that what is left of a request that was cut could get before it.
    const streamed = length === Number.POSITIVE_INFINITY ? !this.#lost : length > this.#held;
    if (payload.inMemory || streamed) return this.#direct(length);
    const bytes = await payload.take(this.#position, Math.min(length, this.#held));
    if (bytes.length === 0) return undefined;
    return { size: bytes.length, reopenable: true, open: () => this.#count(bytes) };
  }

  get #held(): number {
    return this.#most <= heldChunkAtMost ? this.#most : heldChunk;
  }

  #direct(length: number): RequestBody {
    const { payload } = this.#options;
    const start = this.#position;
    const isWhole = length === Number.POSITIVE_INFINITY;
    return {
      size: isWhole ? undefined : length,
      reopenable: payload.reopenable,
      open: () => this.#count(payload.open(start, isWhole ? undefined : start + length)),
    };
  }

  #count(opened: Uint8Array | AsyncIterable<Uint8Array>): Uint8Array | AsyncIterable<Uint8Array> {
    this.#opened++;
    this.#handedOn = opened instanceof Uint8Array ? opened.length : 0;
    return opened instanceof Uint8Array ? opened : this.#counted(opened);
  }

  async *#counted(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    const { payload } = this.#options;
    const isWhole = payload.size === undefined;
    try {
      for await (const piece of pieces) {
        this.#handedOn += piece.length;
        this.#tell(this.#position + this.#handedOn);
        yield piece;
      }
    } catch (error) {
      // A body that may be of any length ends here: what came before is kept.
      if (!isWhole || payload.failure === undefined) throw error;
    }
  }

  #tell(sent: number): void {
    if (sent <= this.#told) return;
    this.#told = sent;
    this.#options.onBytes(sent);
  }

  async #run<T>(step: (progress: () => void) => Promise<T>): Promise<T> {
    const { session, call } = this.#options;
    const outcome = await session.transport.attempt(call, async (_attempt, progress): Promise<Outcome<T>> => {
      for (;;) {
        if (this.#unsure && !(await this.#resync(progress))) return { error: this.#last };
        try {
          return { value: await step(progress) };
        } catch (error) {
          this.#last = error;
          if (await this.#isFinal(error)) return { error: this.#options.payload.failure?.error ?? error };
          if (!(await this.#adapt(error, progress))) throw error;
        }
      }
    });
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  }

  /** Asks how far the upload has come. @returns false if it cannot be gone on from there */
  async #resync(progress: () => void): Promise<boolean> {
    const { session, payload, call, onResumed } = this.#options;
    await session.ask(call, this.#refusedAt);
    // Nothing of this has arrived, so what is there is somebody else's: it is appended to.
    if (this.#refusedAt !== undefined && this.#isUntouched) this.#base = session.size;
    this.#refusedAt = undefined;
    const position = payload.size === 0 ? 0 : session.size - this.#base;
    if (!(position >= 0 && position <= (payload.size ?? Number.POSITIVE_INFINITY))) return false;
    if (position !== payload.size && !payload.canOpen(position)) return false;
    this.#unsure = false;
    this.#feels = this.#lost;
    if (position > this.#position) progress();
    this.#position = position;
    onResumed(session.size);
    return true;
  }

  /** Whether the registry can have nothing of it yet, and the upload may hold something else. */
  get #isUntouched(): boolean {
    const { from, at } = this.#options;
    return from === undefined && at === undefined && this.#position === 0 && !this.#lost && this.#opened <= 1;
  }

  /** What no other attempt makes better. The size is then still what the registry says, as far as it can be asked. */
  async #isFinal(error: unknown): Promise<boolean> {
    const { session, payload, call, at } = this.#options;
    if (call.signal?.aborted === true) return true;
    const refused = isRegistryError(error, 'RANGE_INVALID') && at !== undefined && this.#position === 0 && !this.#lost;
    const final = payload.failure !== undefined || (refused && this.#opened <= 1);
    if (final && this.#unsure) await session.ask(call).catch(() => undefined);
    return final;
  }

  /** @returns true if it is worth going on at once */
  async #adapt(error: unknown, progress: () => void): Promise<boolean> {
    const { session, limit, call } = this.#options;
    if (error instanceof HttpError && error.status === 413) {
      if (!limit.shrink(Math.min(this.#left, this.#most), session.minimumChunk)) return false;
      progress();
      return true;
    }
    if (isRegistryError(error, 'RANGE_INVALID') && this.#refused < maxRefused) {
      this.#refusedAt = this.#base + this.#position;
      await pause(this.#refused++, call);
      return true;
    }
    if (isBusy(error) && this.#lost && this.#unsure && this.#busy < maxBusy) {
      await pause(this.#busy++, call);
      return true;
    }
    this.#lost ||= !(error instanceof HttpError) || error.status >= 500;
    return false;
  }
}

/** Longer each time, up to 5 seconds. */
function pause(count: number, { signal }: CallOptions): Promise<void> {
  return sleep(Math.min(100 * 1.5 ** count, 5000), signal);
}
