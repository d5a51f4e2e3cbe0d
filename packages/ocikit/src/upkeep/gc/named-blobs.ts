// The blobs that only manifests name that are being removed: each may go as soon as all of these are gone.
import type { Digest } from '../../model/index.ts';

import type { LinkedContent } from '../graph/index.ts';

/** Names of blobs that are in memory for one repository. With more, blobs wait until all manifests are gone. */
const mostNames = 10_000;

/** A blob that a removed manifest named. */
export interface NamedBlob {
  /** Its digest. */
  digest: Digest;
  /** Its bytes, as the manifest says. */
  size: number;
}

/**
 * Some manifests go at once, others have to wait until an index is written. The blobs of the former need not wait for
 * the latter, and a blob that is gone early need not be made durable any more.
 */
export class NamedBlobs {
  readonly #byManifest = new Map<Digest, readonly NamedBlob[]>();
  /** For each blob: how many manifests name it that are not gone yet. */
  readonly #names = new Map<Digest, number>();
  #count = 0;
  #isKnown = true;

  /** Adds a manifest that is to be removed, and the blobs that it names. */
  add(manifest: Digest, blobs: readonly LinkedContent[]): void {
    if (!this.#isKnown) return;
    const named = new Map<Digest, NamedBlob>();
    for (const { digest, size } of blobs) if (size !== undefined) named.set(digest, { digest, size });
    this.#count += named.size;
    if (this.#count > mostNames) {
      this.forgetAll();
      return;
    }
    this.#byManifest.set(manifest, [...named.values()]);
    // A blob without a size is not removed early, but it must not be taken for one that nothing names.
    for (const digest of new Set(blobs.map((blob) => blob.digest))) {
      this.#names.set(digest, (this.#names.get(digest) ?? 0) + 1);
    }
  }

  /** No blob may go early, because a manifest cannot be read and may name any. */
  forgetAll(): void {
    this.#isKnown = false;
    this.#byManifest.clear();
    this.#names.clear();
  }

  /** Notes that a manifest is gone, and gives the blobs that no other one of them names. */
  release(manifest: Digest): NamedBlob[] {
    const free: NamedBlob[] = [];
    for (const blob of this.#byManifest.get(manifest) ?? []) {
      const left = (this.#names.get(blob.digest) ?? 1) - 1;
      this.#names.set(blob.digest, left);
      if (left === 0) free.push(blob);
    }
    this.#byManifest.delete(manifest);
    return free;
  }
}
