import type { ResolvedRange } from '../../../model/index.ts';

import type { ClientOptions } from '../shared/index.ts';
import type { BlobPart } from './remote-blob.ts';

const MiB = 1024 * 1024;

/** How a large blob is fetched over several connections. */
export interface Parallel {
  /** Connections at a time. */
  readonly ranges: number;
  /** Bytes from which on a blob is large. */
  readonly threshold: number;
  /** Bytes that may be ahead of the reader. */
  readonly memory: number;
  /** Bytes per second: one connection that gives as much is left alone. */
  readonly enough: number;
}

/** A registry on the same machine, or next to it, gives more than this; several connections would only cost processor time. */
const fastConnection = 32 * MiB;

export function parallelOf(option: ClientOptions['parallel']): Parallel | undefined {
  if (option === false) return undefined;
  const { ranges = 4, threshold = 32 * MiB, memory = 64 * MiB } = option ?? {};
  return { ranges, threshold, memory, enough: option === undefined ? fastConnection : Number.POSITIVE_INFINITY };
}

/** Whether several connections may be worth it: a registry that knows no ranges would send all of it over each. */
export function isWorthParallel(
  { ranges, threshold }: Parallel,
  { start, end }: ResolvedRange,
  first: BlobPart,
): boolean {
  return ranges >= 2 && end - start >= threshold && first.answer.headers.get('accept-ranges') !== 'none';
}
