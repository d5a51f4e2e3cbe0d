// Counts content and its bytes, for reports.
/** An amount of content. */
export interface Tally {
  /** How many manifests or blobs. */
  count: number;
  /** Their bytes in total. */
  size: number;
}

/** Counts one more, of `size` bytes. */
export function addToTally(tally: Tally, size: number): void {
  tally.count++;
  tally.size += size;
}

/** A tally of nothing. */
export function emptyTally(): Tally {
  return { count: 0, size: 0 };
}
