// The upstream of a repository, and its names there and in the store.
import type { CallContext } from '../../../model/index.ts';

import type { Upstream } from './upstream.ts';

/** The upstream of a repository, and its names. */
export interface Place {
  /** The repository's name in the cache, as callers use it. */
  readonly name: string;
  /** The registry that has it. */
  readonly upstream: Upstream;
  /** Its name in the upstream. */
  readonly repository: string;
  /** Its name in the store. */
  readonly keptAs: string;
  /** The context for calls to the upstream. */
  readonly context: CallContext | undefined;
}

/** The key of a tag or digest in maps. Neither names nor references have spaces. */
export function placeKey({ keptAs }: Place, reference: string): string {
  return `${keptAs} ${reference}`;
}
