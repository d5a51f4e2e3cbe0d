// A bounded cache of small manifests, by the path of their file.

const cachedBytes = 8 * 1024 * 1024;
const largestCached = 64 * 1024;

/** Small manifests that were read recently, by path. */
export class ManifestCache {
  readonly #manifests = new Map<string, Uint8Array>();
  #size = 0;

  /** True if the manifest is cached. */
  has(path: string): boolean {
    return this.#manifests.has(path);
  }

  /** The bytes of a recently read manifest. The caller may change them. */
  get(path: string): Uint8Array | undefined {
    const bytes = this.#manifests.get(path);
    return bytes === undefined ? undefined : copyOf(bytes);
  }

  /** Caches a manifest that was read, unless it is large. The caller must not change the bytes. */
  put(path: string, bytes: Uint8Array): void {
    if (bytes.length > largestCached || this.#manifests.has(path)) return;
    this.#manifests.set(path, bytes);
    this.#size += bytes.length + path.length;
    for (const oldest of this.#manifests.keys()) {
      if (this.#size <= cachedBytes) return;
      this.forget(oldest);
    }
  }

  /** Call it when the file may have other bytes. */
  forget(path: string): void {
    const bytes = this.#manifests.get(path);
    if (bytes === undefined) return;
    this.#manifests.delete(path);
    this.#size -= bytes.length + path.length;
  }
}

/** A copy of bytes. A small Buffer shares a pool, which is much cheaper than memory of its own. */
export function copyOf(bytes: Uint8Array): Uint8Array {
  const copy = Buffer.from(bytes);
  return new Uint8Array(copy.buffer, copy.byteOffset, copy.length);
}
