// The plan of pushes for measuring growth.

/** Pushes of tags, from one number to another. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
  /** True if the pushes run one after the other, so that each can be timed. */
  readonly timed: boolean;
}

/** Returns the number of timed pushes before a size. */
export function probesAt(size: number): number {
  return Math.min(100, size);
}

/**
 * Plans the pushes from an empty repository to the largest size. The last pushes before each size are timed. The first
 * and the last tenth of one size are timed as well.
 */
export function planGrowth(sizes: readonly number[], tenthsOf: number): Stretch[] {
  const timed = sizes.map((size) => ({ from: size - probesAt(size), to: size }));
  if (sizes.includes(tenthsOf)) {
    timed.push({ from: 0, to: tenthsOf / 10 }, { from: tenthsOf - tenthsOf / 10, to: tenthsOf });
  }
  const ends = [...new Set([0, ...timed.flatMap(({ from, to }) => [from, to])])].toSorted((a, b) => a - b);
  return ends.slice(1).map((to, i) => {
    const from = ends[i] ?? 0;
    return { from, to, timed: timed.some((range) => range.from <= from && to <= range.to) };
  });
}
