// Whether a blob is fetched over several connections.
import type { ResolvedRange } from '../../../model/index.ts';
import type { ClientOptions } from '../shared/index.ts';

import type { BlobPart } from './blob-part.ts';

const MiB = 1024 * 1024;

/** How a large blob is fetched over several connections. */
export interface Parallel {
  /** Connections at a time. */
  readonly ranges: number;
  /** Bytes from which on a blob is large. */
  readonly threshold: number;
  /** Bytes that may be ahead of the reader. */
  readonly memory: number;
  /** Bytes per second; a connection that gives as much stays the only one. */
  readonly enough: number;
}

/**
 * Bytes per second. A registry on the same machine, or near it, gives more: there, more connections only cost
 * processor time.
 */
const fastConnection = 32 * MiB;

/** The option with its defaults; undefined: never. */
export function parallelOf(option: ClientOptions['parallel']): Parallel | undefined {
  if (option === false) return undefined;
  const { ranges = 4, threshold = 32 * MiB, memory = 64 * MiB } = option ?? {};
  return { ranges, threshold, memory, enough: option === undefined ? fastConnection : Number.POSITIVE_INFINITY };
}

/** Whether more connections may help. A registry without ranges would send the whole blob over each. */
export function isWorthParallel(
  { ranges, threshold }: Parallel,
  { start, end }: ResolvedRange,
  first: BlobPart,
): boolean {
  return (
    ranges >= 2 &&
    end < Number.POSITIVE_INFINITY &&
    end - start >= threshold &&
    first.response.headers.get('accept-ranges') !== 'none'
  );
}
