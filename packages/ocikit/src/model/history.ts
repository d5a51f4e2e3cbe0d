import type { Digest } from './digest.ts';
import type { CallOptions } from './call.ts';
import type { Registry } from './registry.ts';

/** The key under which a registry offers its {@link History}. */
export const history: unique symbol = Symbol.for('ocikit.history');

/** How a registry's tags moved, if it knows. A view decides by itself whether to pass it on. */
export function historyOf(registry: Registry): History | undefined {
  return registry[history];
}

/** A tag was set, moved or deleted. */
export interface TagMove {
  tag: string;
  at: Date;
  /** Where it is from then on; undefined: it was deleted, by itself or with its manifest. */
  digest: Digest | undefined;
  /** Where it was until then; undefined: it did not exist. */
  previous: Digest | undefined;
  /** The name of the authenticated caller, if there was one. */
  caller?: string | undefined;
}

export interface MovesOptions extends CallOptions {
  /** Only those of this tag. */
  tag?: string | undefined;
  /** At most so many in all. 0: none. */
  limit?: number | undefined;
}

/** How tags moved. The oldest moves are forgotten when there are very many. */
export interface History {
  /**
   * The moves of a repository's tags, newest first: those that the registry itself has made. A push that leaves a tag where it
   * was is none. None if nothing is known of the repository: that is no error, and one that is gone may have some.
   */
  moves(repository: string, options?: MovesOptions): AsyncIterable<TagMove>;
}
