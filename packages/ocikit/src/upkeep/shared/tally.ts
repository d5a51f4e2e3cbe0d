/** How many, and how many bytes. */
export interface Tally {
  count: number;
  size: number;
}

export function add(tally: Tally, size: number): void {
  tally.count++;
  tally.size += size;
}

export function noTally(): Tally {
  return { count: 0, size: 0 };
}
