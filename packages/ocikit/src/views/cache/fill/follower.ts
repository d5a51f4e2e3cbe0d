import { isRegistryError } from '../../../model/index.ts';
import type { BlobContent, ByteReader, OnTransferEvent, ResolvedRange } from '../../../model/index.ts';

import type { Fill } from './fill.ts';

export interface FollowerOptions {
  /** The name by which the reader knows the repository. */
  repository: string;
  signal: AbortSignal | undefined;
  onEvent: OnTransferEvent | undefined;
  onClose: () => void;
}

/** Somebody who reads a blob, or a part of it, while it is coming in. */
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

  /** @returns 0 if the part has been read, and there may be another one */
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
      // The upload has become the blob since it was looked at.
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
