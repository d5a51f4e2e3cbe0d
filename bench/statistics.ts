/** What several measurements of the same thing come to. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** How many measurements there were. */
  readonly count: number;
}

/** Whether more of it is better, as with requests per second, or less, as with milliseconds. */
export type Better = 'higher' | 'lower';

/** The one in the middle, or halfway between the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[sorted.length >> 1];
  if (upper === undefined) throw new RangeError('nothing has no median');
  if (sorted.length % 2 === 1) return upper;
  return ((sorted[(sorted.length >> 1) - 1] ?? upper) + upper) / 2;
}

export function summarize(values: readonly number[]): Summary {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values), count: values.length };
}

/** How many times as good `value` is as `other`: above 1 it is the better one, whichever way is better. */
export function ratio(value: number, other: number, better: Better): number {
  return better === 'higher' ? value / other : other / value;
}

/** The best of some, by their median. */
export function best<T extends { readonly summary: Summary }>(candidates: readonly T[], better: Better): T | undefined {
  let found: T | undefined;
  for (const candidate of candidates) {
    if (found === undefined || ratio(candidate.summary.median, found.summary.median, better) > 1) found = candidate;
  }
  return found;
}
