// One download of a blob into an upload of the store, which any number of readers follow.
import { abortable } from '../../../transfer/index.ts';
import { isRegistryError, mediaTypes } from '../../../model/index.ts';
import type { BlobContent, BlobUpload, Descriptor, Registry } from '../../../model/index.ts';

import { later } from '../shared/index.ts';
import { ReadAhead } from './read-ahead.ts';
import { RecentBytes } from './recent-bytes.ts';
import { wrongAnswer } from '../upstream/index.ts';
import type { Upstream } from '../upstream/index.ts';
import { Waiters } from './waiters.ts';

/**
 * Last bytes of a blob, which readers get only after the whole blob has been verified. A smaller blob comes as a whole.
 */
export const heldBack: number = 64 * 1024;
/** Bytes. A download that lacks no more than this is finished even without a reader. */
const littleMissing = 16 * 1024 * 1024;
/** Milliseconds after the end for which the last bytes stay in memory, for the readers that need them. */
const shortly = 1000;

/**
 * The end of a download: the blob is kept (`kept`), the upstream sent other content (`wrong`) or not all of it (`cut`),
 * all readers had left (`left`), or the store failed (`unkept`).
 */
export type FillOutcome = { type: 'kept' } | { type: 'wrong' | 'cut' | 'left' | 'unkept'; error: unknown };

/** The parts of a download. */
export interface FillSource {
  /** The registry that sends the blob. */
  upstream: Upstream;
  /** The registry that keeps the blob. */
  store: Registry;
  /** The repository's name in the store. */
  repository: string;
  /** The bytes from `start` to the end of the blob. */
  content: BlobContent;
  /** The upload of the store that takes the blob. */
  upload: BlobUpload;
  /** Bytes of the blob that the upload had before. */
  start: number;
}

/**
 * One download of a blob into an upload of the store, with any number of readers. Each reads from the upload at its own
 * pace: a slow reader delays no other reader, and costs no memory.
 */
export class Fill {
  /** The whole blob's. Its size is `Infinity` until the end if the upstream has not named it. */
  readonly descriptor: Descriptor;
  /** Resolves at its end, whichever it is. */
  readonly ended: Promise<FillOutcome>;
  readonly #source: FillSource;
  readonly #incoming: ReadAhead;
  readonly #moved = new Waiters();
  readonly #recent = new RecentBytes();
  #written: number;
  #outcome: FillOutcome | undefined;
  #hasLeft = false;
  /** The upload is becoming the blob. Until that is done, neither can be read reliably. */
  #isCommitting = false;

  constructor(source: FillSource) {
    const { digest, size } = source.content.descriptor;
    this.descriptor = { mediaType: mediaTypes.octetStream, digest, size };
    this.#source = source;
    this.#written = source.start;
    this.#incoming = new ReadAhead(source.content);
    this.ended = this.#run();
  }

  /** Bytes, from the blob's beginning, that can be read now. */
  get available(): number {
    const { size } = this.descriptor;
    if (this.#outcome?.type === 'kept') return size;
    // Without a size, the last bytes are not known, which are held back.
    if (this.#source.upload.read === undefined || size === Number.POSITIVE_INFINITY) return 0;
    return Math.max(0, Math.min(this.#written, size - heldBack));
  }

  /** Whether the download has ended. */
  get isOver(): boolean {
    return this.#outcome !== undefined;
  }

  /** Whether the download ends without the blob, so that no further reader can follow it. */
  get isLost(): boolean {
    return this.#hasLeft || (this.#outcome !== undefined && this.#outcome.type !== 'kept');
  }

  /** Whether it is worth finishing without a reader: more than half has arrived, or little is missing. */
  get isNearlyDone(): boolean {
    return this.descriptor.size - this.#written <= Math.max(this.#written, littleMissing);
  }

  /** Resolves when a byte can be read at this position. Rejects if none will arrive. */
  async until(position: number, signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      if (this.#outcome !== undefined && this.#outcome.type !== 'kept') throw this.#outcome.error;
      if (this.available > position && !this.#isCommitting) return;
      await abortable(this.#moved.next(), signal);
    }
  }

  /** Bytes from `start` on and before `end` that are in memory and can be read now; undefined if there are none. */
  recent(start: number, end: number): Uint8Array | undefined {
    return this.#recent.from(start, Math.min(end, this.available));
  }

  /** The bytes that can be read now, from `start` and before `end`. */
  async read(start: number, end: number): Promise<BlobContent> {
    const { store, repository, upload } = this.#source;
    const range = { start, end: Math.min(end, this.available) };
    if (this.#outcome?.type !== 'kept' && upload.read !== undefined) return upload.read(range);
    return store.getBlob(repository, this.descriptor.digest, { range });
  }

  /** Ends the download: all readers have left. */
  leave(error: unknown): void {
    if (this.#outcome !== undefined) return;
    this.#hasLeft = true;
    this.#incoming.leave(error);
    this.#source.content.cancel().catch(() => undefined);
  }

  async #run(): Promise<FillOutcome> {
    const outcome = await this.#transfer();
    this.#outcome = outcome;
    this.#isCommitting = false;
    this.#moved.wake();
    later(shortly, () => this.#recent.clear());
    if (outcome.type !== 'kept') await this.#source.content.cancel().catch(() => undefined);
    return outcome;
  }

  async #transfer(): Promise<FillOutcome> {
    const { upload } = this.#source;
    const { digest, size } = this.descriptor;
    // An upload that can be read tells what it has. Any other one gets a part at a time, to know what it has taken.
    const failure = upload.read === undefined ? await this.#appendParts() : await this.#appendAll();
    if (failure !== undefined) return failure;
    try {
      if (this.#written !== size && size !== Number.POSITIVE_INFINITY) {
        return { type: 'wrong', error: wrongAnswer(`${this.#written} bytes where ${size} were announced`) };
      }
      this.#isCommitting = true;
      await upload.commit(digest);
      this.descriptor.size = this.#written;
      return { type: 'kept' };
    } catch (error) {
      if (!isRegistryError(error, 'DIGEST_INVALID')) return { type: 'unkept', error };
      return { type: 'wrong', error: wrongAnswer(error.message, error) };
    }
  }

  /** Appends everything in one call: the store need not close and open the upload after each part. */
  async #appendAll(): Promise<FillOutcome | undefined> {
    const { upload, start } = this.#source;
    let failure: FillOutcome | undefined;
    const take = async (): Promise<Uint8Array | undefined> => {
      try {
        return await this.#incoming.take();
      } catch (error) {
        failure = this.#failed(error);
        throw error;
      }
    };
    const parts = async function* (this: Fill): AsyncGenerator<Uint8Array, void, undefined> {
      let position = start;
      for (let part = await take(); part !== undefined; part = await take()) {
        yield part;
        this.#recent.add(position, part);
        position += part.length;
        // The store asks for the next part when it has taken this one.
        this.#written = Math.min(position, upload.size ?? position);
        this.#moved.wake();
      }
    };
    try {
      this.#written = await upload.append(parts.call(this));
      return undefined;
    } catch (error) {
      return failure ?? { type: 'unkept', error };
    }
  }

  async #appendParts(): Promise<FillOutcome | undefined> {
    for (;;) {
      let part: Uint8Array | undefined;
      try {
        part = await this.#incoming.take();
      } catch (error) {
        return this.#failed(error);
      }
      if (part === undefined) return undefined;
      try {
        this.#written = await this.#source.upload.append(part);
      } catch (error) {
        return { type: 'unkept', error };
      }
    }
  }

  /** The outcome of a download that failed with this error. */
  #failed(error: unknown): FillOutcome {
    if (this.#hasLeft) return { type: 'left', error };
    if (isRegistryError(error, 'DIGEST_INVALID', 'SIZE_INVALID')) {
      return { type: 'wrong', error: wrongAnswer(error.message, error) };
    }
    return { type: 'cut', error: this.#source.upstream.note(error) };
  }
}
