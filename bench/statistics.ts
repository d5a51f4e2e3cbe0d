// Statistics of repeated measurements.

/** The summary of repeated measurements. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Number of measurements. */
  readonly count: number;
}

/** The better direction: higher for requests per second, lower for milliseconds. */
export type Better = 'higher' | 'lower';

/** Returns the middle value, or the mean of the two middle values. */
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

/** Returns how many times as good `value` is as `other`: above 1 if `value` is better. */
export function ratio(value: number, other: number, better: Better): number {
  return better === 'higher' ? value / other : other / value;
}

/** Returns the candidate with the best median. */
export function best<T extends { readonly summary: Summary }>(candidates: readonly T[], better: Better): T | undefined {
  let found: T | undefined;
  for (const candidate of candidates) {
    if (found === undefined || ratio(candidate.summary.median, found.summary.median, better) > 1) found = candidate;
  }
  return found;
}
