import { isRegistryError, mediaTypes } from '../../../model/index.ts';
import type { BlobContent, BlobUpload, Descriptor, Registry } from '../../../model/index.ts';

import { abortable } from '../shared/index.ts';
import { ReadAhead } from './read-ahead.ts';
import { wrongAnswer } from '../upstream/index.ts';
import type { Upstream } from '../upstream/index.ts';
import { Waiters } from './waiters.ts';

/** Bytes at the end that nobody is given before all of them have been verified. A blob that is no larger comes as a whole. */
export const heldBack: number = 64 * 1024;
const littleMissing = 16 * 1024 * 1024;

/**
 * How a download ended: the blob is kept; the upstream sent something else (`wrong`), or not all of it (`cut`); nobody
 * wanted it any more (`left`); the store failed (`unkept`).
 */
export type FillOutcome = { type: 'kept' } | { type: 'wrong' | 'cut' | 'left' | 'unkept'; error: unknown };

export interface FillSource {
  upstream: Upstream;
  store: Registry;
  /** The name under which the store has it. */
  repository: string;
  /** From where the upload stands to the end of the blob. */
  content: BlobContent;
  upload: BlobUpload;
  /** Bytes of the blob that the upload has already. */
  start: number;
}

/**
 * One download of a blob into an upload of the store, with any number of readers behind it. Each reads what the upload has at
 * its own pace: a slow one holds nobody up, and costs no memory.
 */
export class Fill {
  readonly descriptor: Descriptor;
  /** Resolves when it is over, in whatever way. */
  readonly ended: Promise<FillOutcome>;
  readonly #source: FillSource;
  readonly #incoming: ReadAhead;
  readonly #moved = new Waiters();
  #written: number;
  #outcome: FillOutcome | undefined;
  #hasLeft = false;
  /** The upload is becoming the blob: for a moment, neither can be relied on. */
  #isCommitting = false;

  constructor(source: FillSource) {
    const { digest, size } = source.content.descriptor;
    this.descriptor = { mediaType: mediaTypes.octetStream, digest, size };
    this.#source = source;
    this.#written = source.start;
    this.#incoming = new ReadAhead(source.content);
    this.ended = this.#run();
  }

  /** Bytes from the blob's beginning that can be read now. */
  get available(): number {
    const { size } = this.descriptor;
    if (this.#outcome?.type === 'kept') return size;
    if (this.#source.upload.read === undefined) return 0;
    return Math.max(0, Math.min(this.#written, size - heldBack));
  }

  get isOver(): boolean {
    return this.#outcome !== undefined;
  }

  /** Nobody else can read it to its end. */
  get isLost(): boolean {
    return this.#hasLeft || (this.#outcome !== undefined && this.#outcome.type !== 'kept');
  }

  /** Whether more of it is there than is missing, or little is missing: then it is worth while to go on for nobody. */
  get isNearlyDone(): boolean {
    return this.descriptor.size - this.#written <= Math.max(this.#written, littleMissing);
  }

  /** Resolves when there is something to read at this position; rejects if nothing will come any more. */
  async until(position: number, signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      if (this.#outcome !== undefined && this.#outcome.type !== 'kept') throw this.#outcome.error;
      if (this.available > position && !this.#isCommitting) return;
      await abortable(this.#moved.next(), signal);
    }
  }

  /** What can be read now, from there on and before `end`. */
  async read(start: number, end: number): Promise<BlobContent> {
    const { store, repository, upload } = this.#source;
    const range = { start, end: Math.min(end, this.available) };
    if (this.#outcome?.type !== 'kept' && upload.read !== undefined) return upload.read(range);
    return store.getBlob(repository, this.descriptor.digest, { range });
  }

  /** Ends it: nobody wants it any more. */
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
    if (outcome.type !== 'kept') await this.#source.content.cancel().catch(() => undefined);
    return outcome;
  }

  async #transfer(): Promise<FillOutcome> {
    const { upload } = this.#source;
    const { digest, size } = this.descriptor;
    for (;;) {
      let pieces: Uint8Array[] | undefined;
      try {
        pieces = await this.#incoming.take();
      } catch (error) {
        if (this.#hasLeft) return { type: 'left', error };
        if (isRegistryError(error, 'DIGEST_INVALID', 'SIZE_INVALID')) {
          return { type: 'wrong', error: wrongAnswer(error.message, error) };
        }
        return { type: 'cut', error: this.#source.upstream.note(error) };
      }
      if (pieces === undefined) break;
      try {
        this.#written = await upload.append(iterate(pieces));
      } catch (error) {
        return { type: 'unkept', error };
      }
      this.#moved.wake();
    }
    try {
      if (this.#written !== size) {
        return { type: 'wrong', error: wrongAnswer(`${this.#written} bytes where ${size} were announced`) };
      }
      this.#isCommitting = true;
      await upload.commit(digest);
      return { type: 'kept' };
    } catch (error) {
      if (!isRegistryError(error, 'DIGEST_INVALID')) return { type: 'unkept', error };
      return { type: 'wrong', error: wrongAnswer(error.message, error) };
    }
  }
}

async function* iterate(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  yield* pieces;
}
