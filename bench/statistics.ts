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

/** A ratio, and the interval that has its true value with a confidence of 95 %. */
export interface Bounds {
  /** The geometric mean of the ratios of all rounds. */
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** 97.5 % of Student's distribution lies below these values, for 1 to 30 degrees of freedom. */
const student = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/**
 * Returns the bounds of a ratio: Student's t-interval of the logarithms of the ratios of each round. Logarithms,
 * because ratios multiply; Student's, because a bootstrap over so few rounds gives bounds that are too narrow.
 *
 * @param values the measurements of each round, in the order of the rounds
 * @param others those of the other system; only rounds that both systems have count
 * @returns undefined with fewer than two rounds
 */
export function boundsOfRatio(
  values: readonly number[],
  others: readonly number[],
  better: Better,
): Bounds | undefined {
  const rounds = Math.min(values.length, others.length);
  if (rounds < 2) return undefined;
  const logarithms = Array.from({ length: rounds }, (_, i) =>
    Math.log(ratio(values[i] ?? NaN, others[i] ?? NaN, better)),
  );
  const mean = logarithms.reduce((sum, value) => sum + value, 0) / rounds;
  const variance = logarithms.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (rounds - 1);
  const reach = (student[rounds - 2] ?? 1.96) * Math.sqrt(variance / rounds);
  return { mean: Math.exp(mean), low: Math.exp(mean - reach), high: Math.exp(mean + reach) };
}
