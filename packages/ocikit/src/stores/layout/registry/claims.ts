// Content of a layout registry that is being written or removed at this moment.
import type { Digest } from '../../../model/index.ts';

import { sizeOfFile } from '../files/index.ts';
import type { Throttle } from '../files/index.ts';

/** Content that is being written must not be removed, and content that is being removed must not be seen. */
export class Claims {
  readonly #throttle: Throttle;
  /** The number of writers of each file that is being written, or is written and not acknowledged yet. */
  readonly #writing = new Map<string, number>();
  /** Manifests and blobs that are being removed from a repository because they are unused. */
  readonly #removing = new Set<string>();

  /** @param throttle slows background work down while content is written */
  constructor(throttle: Throttle) {
    this.#throttle = throttle;
  }

  /** Notes a file that is written in one step, in which nothing can remove it. */
  noteWrite(): void {
    this.#throttle.notePush();
  }

  /** Protects a file from removal while `write` runs. */
  async whileWriting<T>(path: string, write: () => Promise<T>): Promise<T> {
    this.#throttle.notePush();
    this.#writing.set(path, (this.#writing.get(path) ?? 0) + 1);
    try {
      return await write();
    } finally {
      const left = (this.#writing.get(path) ?? 1) - 1;
      if (left === 0) this.#writing.delete(path);
      else this.#writing.set(path, left);
    }
  }

  /**
   * @param write called with true if the file existed before, or is being written, for another reason than the same
   *   manifest. A blob that waits for the journal has no file yet, and its record was made before the manifest was
   *   known.
   */
  whileWritingManifest<T>(path: string, write: (isBlob: boolean) => Promise<T>): Promise<T> {
    const isBlob = !this.isManifestBeingWritten(path) && (this.#writing.has(path) || sizeOfFile(path) !== undefined);
    return this.whileWriting(path, () => this.whileWriting(`${path} as a manifest`, () => write(isBlob)));
  }

  /** True if the file is being written as a manifest. */
  isManifestBeingWritten(path: string): boolean {
    return this.#writing.size > 0 && this.#writing.has(`${path} as a manifest`);
  }

  /** Hides content of a repository while it is being removed. */
  async whileRemoving(repository: string, digest: Digest, remove: () => Promise<void>): Promise<void> {
    const key = `${repository}@${digest}`;
    this.#removing.add(key);
    try {
      await remove();
    } finally {
      this.#removing.delete(key);
    }
  }

  /** Makes content visible again that is being removed, because it was pushed again. */
  cancelRemoval(repository: string, digest: Digest): void {
    if (this.#removing.size > 0) this.#removing.delete(`${repository}@${digest}`);
  }

  /** True if the content is being removed from the repository. */
  isBeingRemoved(repository: string, digest: Digest): boolean {
    return this.#removing.size > 0 && this.#removing.has(`${repository}@${digest}`);
  }

  /** The number of callers that are writing the file. */
  writersOf(path: string): number {
    return this.#writing.get(path) ?? 0;
  }

  /** True if the file is being written. */
  isBeingWritten(path: string): boolean {
    return this.#writing.has(path);
  }
}
