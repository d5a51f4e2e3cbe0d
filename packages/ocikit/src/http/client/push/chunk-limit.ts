// The largest request that a registry accepts.

/**
 * Bytes that proxies before registries are known to accept: one large provider, and others down to the default of
 * nginx.
 */
const usual = [95, 48, 16, 4, 1].map((mebibytes) => mebibytes * 1024 * 1024);

/** Bytes that are sent in one request at most. The limit shrinks when a proxy before the registry accepts fewer. */
export class ChunkLimit {
  #size: number;

  constructor(size: number) {
    this.#size = size;
  }

  /** Bytes. */
  get size(): number {
    return this.#size;
  }

  /**
   * Learns that a request of so many bytes was refused as too large.
   *
   * @param atLeast bytes that the registry demands in a chunk
   * @returns false if there is no smaller size to try
   */
  shrink(refused: number, atLeast: number = 1): boolean {
    const next = usual.find((size) => size < refused);
    if (next === undefined || next < atLeast) return false;
    this.#size = Math.min(this.#size, next);
    return true;
  }
}
