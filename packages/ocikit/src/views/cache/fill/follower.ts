// A reader of a blob that is still being downloaded.
import { isRegistryError } from '../../../model/index.ts';
import type { BlobContent, ByteReader, OnTransferEvent, ResolvedRange } from '../../../model/index.ts';

import type { Fill } from './fill.ts';

/** The caller of a follower. */
export interface FollowerOptions {
  /** The repository's name for the caller. */
  repository: string;
  /** Ends the reading. */
  signal: AbortSignal | undefined;
  /** Called with the reader's progress. */
  onEvent: OnTransferEvent | undefined;
  /** Called when the reader has ended. */
  onClose: () => void;
}

/** Reads a blob, or a part of it, while it is being downloaded. */
export class Follower implements ByteReader {
  readonly #fill: Fill;
  readonly #range: ResolvedRange;
  readonly #options: FollowerOptions;
  #position: number;
  #part: BlobContent | undefined;
  #hasFoundBlob = false;

  constructor(fill: Fill, range: ResolvedRange, options: FollowerOptions) {
    this.#fill = fill;
    this.#range = range;
    this.#position = range.start;
    this.#options = options;
    this.#tell('started');
  }

  async readInto(buffer: Uint8Array): Promise<number> {
    while (this.#position < this.#range.end) {
      const count = await this.#readPart(buffer);
      if (count === 0) continue;
      this.#position += count;
      const transferred = this.#position - this.#range.start;
      this.#options.onEvent?.({ type: 'bytes', ...this.#about, transferred });
      if (this.#position === this.#range.end) this.#tell('done');
      return count;
    }
    return 0;
  }

  /** @returns 0 if this part has been read. More parts may follow */
  async #readPart(buffer: Uint8Array): Promise<number> {
    try {
      if (this.#part === undefined) {
        await this.#fill.until(this.#position, this.#options.signal);
        this.#part = await this.#fill.read(this.#position, this.#range.end);
      }
      const count = await this.#part.readInto(buffer);
      if (count === 0) this.#part = undefined;
      return count;
    } catch (error) {
      await this.#part?.cancel();
      this.#part = undefined;
      // The upload has become the blob meanwhile: read the blob.
      if (this.#hasFoundBlob || !isRegistryError(error, 'BLOB_UNKNOWN', 'BLOB_UPLOAD_UNKNOWN')) throw error;
      const outcome = await this.#fill.ended;
      if (outcome.type !== 'kept') throw outcome.error;
      this.#hasFoundBlob = true;
      return 0;
    }
  }

  async close(): Promise<void> {
    this.#options.onClose();
    await this.#part?.cancel();
  }

  get #about(): { repository: string; digest: Fill['descriptor']['digest']; size: number } {
    const { digest, size } = this.#fill.descriptor;
    return { repository: this.#options.repository, digest, size };
  }

  #tell(type: 'started' | 'done'): void {
    this.#options.onEvent?.({ type, ...this.#about });
  }
}
