/** Bytes that what stands before registries is known to accept: one large provider, and others down to the default of nginx. */
const usual = [95, 48, 16, 4, 1].map((mebibytes) => mebibytes * 1024 * 1024);

/** How many bytes are sent in one request at most. Shrinks where what stands before the registry accepts fewer. */
export class ChunkLimit {
  #size: number;

  /** @throws RangeError */
  constructor(size: number = Number.POSITIVE_INFINITY) {
    if (!(size >= 1)) throw new RangeError(`chunks of ${size} bytes`);
    this.#size = size;
  }

  get size(): number {
    return this.#size;
  }

  /**
   * So many bytes were too many.
   *
   * @param atLeast what the registry demands
   * @returns false if there is nothing smaller to try
   */
  shrink(refused: number, atLeast: number = 1): boolean {
    const next = usual.find((size) => size < refused);
    if (next === undefined || next < atLeast) return false;
    this.#size = Math.min(this.#size, next);
    return true;
  }
}
