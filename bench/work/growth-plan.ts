/** Pushes of tags, from one number to another. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
  /** One push after another, so that each can be timed; else it is only to get there. */
  readonly timed: boolean;
}

/** How many pushes are timed on the way to a size. */
export function probesAt(size: number): number {
  return Math.min(100, size);
}

/**
 * How to get from no tag to the largest of some sizes. The last pushes before each size are timed, and so are the first
 * and the last tenth of one of them.
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
