// A payload on its way into an upload.
import { HttpError, isRegistryError, RegistryError } from '../../../model/index.ts';
import type { CallOptions, Descriptor, Digest } from '../../../model/index.ts';
import { sleep } from '../../../transfer/index.ts';
import type { RequestBody } from '../transport/index.ts';

import type { ChunkLimit } from './chunk-limit.ts';
import type { Payload } from './payload.ts';
import { isBusy, plus } from './upload-session.ts';
import type { UploadSession } from './upload-session.ts';

/** Bytes of a stream that are held in memory, so that they can be sent again. */
const heldChunk = 4 * 1024 * 1024;

/** The same, if the caller wants chunks of at most this size. */
const heldChunkAtMost = 16 * 1024 * 1024;

/**
 * Bytes of the first chunk after a cut. The registry may not have noticed the cut yet, or may still be reading earlier
 * bytes. It then refuses the chunk, and only these bytes have been sent in vain.
 */
const probeSize = 64 * 1024;

/**
 * How often an upload is asked again while another request still writes to it. That is about a minute, after which
 * servers give up on a connection.
 */
const maxBusy = 22;

/** How often an upload is asked again whose position is not the one that it has just named. */
const maxRefused = 5;

/** The bytes that are sent, and their destination. */
export interface SendingOptions {
  /** The upload. */
  session: UploadSession;
  /** The bytes. */
  payload: Payload;
  /** The largest request; it shrinks when a request is refused as too large. */
  limit: ChunkLimit;
  /** The call that the requests belong to. */
  call: CallOptions;
  /** The position in the upload, as the caller has named it; undefined: the end of the upload. */
  at?: number | undefined;
  /** Bytes of the payload that are in the upload already. If it is set, the upload holds nothing else. */
  from?: number | undefined;
  /** Called with the bytes of the payload that have gone so far; the number never falls. */
  onBytes: (sent: number) => void;
  /** Called with the position in the upload at which it resumes after a cut. */
  onResumed: (at: number) => void;
  /** Looks for the blob, for the case that the answer to its last bytes was lost. */
  resolve: (digest: Digest) => Promise<Descriptor>;
}

type Outcome<T> = { value: T } | { error: unknown };

/** The state of the registry's copy, as far as this end knows it. */
type Standing =
  /** The registry has all bytes up to the position. */
  | 'known'
  /** The outcome of the last request is unknown: the upload has to be asked before the next one. */
  | 'uncertain';

/**
 * A payload on its way into an upload. When a request is cut, the upload is asked for its size, and the payload
 * resumes there.
 */
export class Sending {
  readonly #options: SendingOptions;
  readonly #session: UploadSession;
  readonly #payload: Payload;
  readonly #call: CallOptions;
  /** Bytes of the payload that the registry has. */
  #position: number;
  /** The position in the upload at which the payload begins; undefined if that is not known. */
  #base: number | undefined;
  #standing: Standing = 'known';
  /** Bytes that were reported as sent. */
  #reported: number;
  /** Bytes that were handed on in the present request. */
  #handedOn = 0;
  /** How often the body of the present chunk was opened. */
  #opened = 0;
  /** An answer was lost, so a request may have had an effect that this end does not know of. */
  #isAnswerLost: boolean;
  /** The next chunk is a small one, to see whether the registry takes it. */
  #isProbing: boolean;
  /** The position of bytes that were refused; `at` is undefined if the request did not say it. */
  #refused: { at: number | undefined } | undefined;
  /** How often the upload was busy, and refused bytes, since the last progress. */
  #busyCount = 0;
  #refusedCount = 0;

  constructor(options: SendingOptions) {
    const { session, payload, call, at, from = 0 } = options;
    this.#options = options;
    this.#session = session;
    this.#payload = payload;
    this.#call = call;
    this.#position = from;
    this.#base = minus(at ?? session.size, from);
    this.#reported = from;
    // The process that has sent the earlier bytes may have been cut a moment ago.
    this.#isAnswerLost = from > 0;
    this.#isProbing = from > 0;
  }

  /** Sends the whole payload, in one request or in chunks. */
  append(): Promise<void> {
    return this.#run((progress) => this.#appendRest(progress));
  }

  /**
   * Sends the rest of the payload, and ends the upload with it.
   *
   * @returns the size of the blob; undefined if it is not known
   */
  async commit(digest: Digest): Promise<number | undefined> {
    try {
      return await this.#run((progress) => this.#commitRest(digest, progress));
    } catch (error) {
      // The upload may have ended with a request whose answer was lost: then the blob is there.
      if (!this.#isAnswerLost || !isRegistryError(error, 'BLOB_UPLOAD_UNKNOWN', 'NOT_FOUND')) throw error;
      const blob = await this.#options.resolve(digest).catch(() => undefined);
      if (blob === undefined) throw error;
      return blob.size;
    }
  }

  /** Runs a step until it succeeds or fails for good. Before each step, the position is made certain. */
  async #run<T>(step: (progress: () => void) => Promise<T>): Promise<T> {
    let last: unknown;
    const { transport } = this.#session;
    const outcome = await transport.attempt(this.#call, async (_attempt, progress): Promise<Outcome<T>> => {
      for (;;) {
        if (this.#standing === 'uncertain' && !(await this.#resume(progress))) return { error: last };
        try {
          return { value: await step(progress) };
        } catch (error) {
          last = error;
          if (await this.#isFinal(error)) return { error: this.#payload.failure?.error ?? error };
          if (!(await this.#adapt(error, progress))) throw error;
        }
      }
    });
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  }

  async #appendRest(progress: () => void): Promise<void> {
    while (this.#left > 0) {
      const body = await this.#nextChunk();
      if (body === undefined) break;
      this.#standing = 'uncertain';
      this.#opened = 0;
      this.#handedOn = 0;
      await this.#session.patch(body, this.#at(), this.#call);
      if (this.#session.size === undefined) await this.#session.ask(this.#call);
      this.#standing = 'known';
      this.#moveOn();
      this.#isProbing = false;
      this.#busyCount = 0;
      this.#refusedCount = 0;
      progress();
      this.#report(this.#position);
      // The source ended there with an error; the registry keeps the bytes before it.
      if (this.#payload.failure !== undefined) throw this.#payload.failure.error;
    }
  }

  async #commitRest(digest: Digest, progress: () => void): Promise<number | undefined> {
    if (this.#left > this.#most || (this.#isProbing && this.#left > probeSize)) await this.#appendRest(progress);
    const body = this.#left === 0 ? undefined : this.#bodyOf(this.#left);
    const saysPosition = this.#options.at !== undefined || this.#isAnswerLost || (this.#base ?? 0) > 0;
    this.#standing = 'uncertain';
    this.#handedOn = 0;
    const size = await this.#session.put(digest, body, saysPosition ? this.#at() : undefined, this.#call);
    this.#standing = 'known';
    this.#report(this.#position + this.#handedOn);
    return size ?? plus(this.#at(), this.#handedOn);
  }

  /** Bytes of the payload that were not sent yet; Infinity if its size is not known. */
  get #left(): number {
    return (this.#payload.size ?? Infinity) - this.#position;
  }

  /** Bytes of the next request at most. */
  get #most(): number {
    return Math.max(this.#options.limit.size, this.#session.minimumChunk ?? 1);
  }

  /** The present position in the upload; undefined if it is not known. */
  #at(): number | undefined {
    return plus(this.#base, this.#position);
  }

  /** The body of the next request; undefined if there are no more bytes. */
  async #nextChunk(): Promise<RequestBody | undefined> {
    const most = this.#most;
    // If there is a least size, all chunks may have to be of the same size.
    const probe = this.#isProbing && this.#session.minimumChunk === undefined ? probeSize : Infinity;
    const length = Math.min(this.#left, most, probe);
    const held = most <= heldChunkAtMost ? most : heldChunk;
    // A chunk without a length cannot say its position. After a cut, the rest of an earlier request could get before
    // it.
    const streamed = length === Infinity ? !this.#isAnswerLost : length > held;
    if (this.#payload.inMemory || streamed) return this.#bodyOf(length);
    const bytes = await this.#payload.take(this.#position, Math.min(length, held));
    return bytes.length === 0 ? undefined : this.#bodyOf(bytes.length, bytes);
  }

  /** The next `length` bytes as a body, from memory if they are there already. */
  #bodyOf(length: number, bytes?: Uint8Array): RequestBody {
    const start = this.#position;
    const size = length === Infinity ? undefined : length;
    return {
      size,
      reopenable: bytes !== undefined || this.#payload.reopenable,
      open: () => {
        const content = bytes ?? this.#payload.open(start, size === undefined ? undefined : start + size);
        const isInMemory = content instanceof Uint8Array;
        this.#opened++;
        this.#handedOn = isInMemory ? content.length : 0;
        return isInMemory ? content : this.#counted(content);
      },
    };
  }

  async *#counted(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    const isOfAnySize = this.#payload.size === undefined;
    try {
      for await (const piece of pieces) {
        this.#handedOn += piece.length;
        this.#report(this.#position + this.#handedOn);
        yield piece;
      }
    } catch (error) {
      // A body of any size may end here: the registry keeps the bytes before the error.
      if (!isOfAnySize || this.#payload.failure === undefined) throw error;
    }
  }

  #report(sent: number): void {
    if (sent <= this.#reported) return;
    this.#reported = sent;
    this.#options.onBytes(sent);
  }

  /** Moves the position to where the answer to a chunk says that the upload ends. */
  #moveOn(): void {
    const { size } = this.#session;
    const before = this.#position;
    this.#base ??= minus(size, this.#handedOn);
    const found = minus(size, this.#base);
    if (found !== undefined) {
      this.#position = found;
      if (found > before ? found <= before + this.#handedOn : found === before && this.#handedOn === 0) return;
    }
    throw new RegistryError(
      'BLOB_UPLOAD_INVALID',
      `the upload stands at byte ${size ?? '(unknown)'}, ` +
        `though ${this.#handedOn} bytes were sent to byte ${plus(this.#base, before) ?? '(unknown)'}`,
    );
  }

  /** Asks for the size of the upload, to resume there. @returns false if the payload cannot be resumed there */
  async #resume(progress: () => void): Promise<boolean> {
    const { size: whole } = this.#payload;
    const stored = await this.#session.ask(this.#call, this.#refused);
    if (this.#refused !== undefined && this.#isUntouched()) this.#base = stored;
    this.#refused = undefined;
    const found = whole === 0 ? 0 : minus(stored, this.#base);
    if (found === undefined || found < 0 || found > (whole ?? Infinity)) return false;
    if (found !== whole && !this.#payload.canOpen(found)) return false;
    this.#standing = 'known';
    this.#isProbing = this.#isAnswerLost;
    if (found > this.#position) progress();
    this.#position = found;
    this.#options.onResumed(stored ?? found);
    return true;
  }

  /**
   * Whether the registry can have no byte of the payload yet. The bytes in the upload are then others, and it is
   * appended to them.
   */
  #isUntouched(): boolean {
    const { from, at } = this.#options;
    return from === undefined && at === undefined && this.#position === 0 && !this.#isAnswerLost && this.#opened <= 1;
  }

  /**
   * Whether no other attempt helps. The session's size is then asked for once more, as the caller may want to resume
   * there.
   */
  async #isFinal(error: unknown): Promise<boolean> {
    if (this.#call.signal?.aborted === true) return true;
    const { at } = this.#options;
    const isElsewhere = isRegistryError(error, 'RANGE_INVALID') && at !== undefined && this.#position === 0;
    const isFinal = this.#payload.failure !== undefined || (isElsewhere && !this.#isAnswerLost && this.#opened <= 1);
    if (isFinal && this.#standing === 'uncertain') await this.#session.ask(this.#call).catch(() => undefined);
    return isFinal;
  }

  /** Changes what an error asks to change. @returns true if the step can be tried again at once */
  async #adapt(error: unknown, progress: () => void): Promise<boolean> {
    if (error instanceof HttpError && error.status === 413) {
      const isSmaller = this.#options.limit.shrink(Math.min(this.#left, this.#most), this.#session.minimumChunk);
      if (isSmaller) progress();
      return isSmaller;
    }
    if (isRegistryError(error, 'RANGE_INVALID') && this.#refusedCount < maxRefused) {
      this.#refused = { at: this.#at() };
      await pause(this.#refusedCount++, this.#call);
      return true;
    }
    const isUncertain = this.#isAnswerLost && this.#standing === 'uncertain';
    if (isBusy(error) && isUncertain && this.#busyCount < maxBusy) {
      await pause(this.#busyCount++, this.#call);
      return true;
    }
    this.#isAnswerLost ||= !(error instanceof HttpError) || error.status >= 500;
    return false;
  }
}

/** The difference; undefined if one of the numbers is not known. */
function minus(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one - other;
}

/** A wait that is longer each time, up to 5 seconds. */
function pause(count: number, { signal }: CallOptions): Promise<void> {
  return sleep(Math.min(100 * 1.5 ** count, 5000), signal);
}
