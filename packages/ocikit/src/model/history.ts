// The record of tag moves that a registry may offer.
import type { CallOptions } from './call.ts';
import type { Digest } from './digest.ts';

/** The key under which a registry offers its {@link History}. */
export const history: unique symbol = Symbol.for('ocikit.history');

/** One change of a tag: set, moved or deleted. */
export interface TagMove {
  /** The tag's name. */
  tag: string;
  /** The time of the change. */
  at: Date;
  /** The digest that the tag points to after the change. Undefined: the tag, or its manifest, was deleted. */
  digest: Digest | undefined;
  /** The digest that the tag pointed to before. Undefined: the tag did not exist. */
  previous: Digest | undefined;
  /** The name of the authenticated caller, if there was one. */
  caller?: string | undefined;
}

/** Options of {@link History.moves}. */
export interface MovesOptions extends CallOptions {
  /** Only the moves of this tag. Default: those of all tags. */
  tag?: string | undefined;
  /** At most this many moves in total; 0: none. Default: all. */
  limit?: number | undefined;
}

/** How the tags of a registry moved. If there are very many moves, the oldest are forgotten. */
export interface History {
  /**
   * The moves of a repository's tags that this registry made, newest first. A push that leaves a tag at the same digest
   * is not a move. An unknown repository gives an empty list, not an error. A deleted repository may still have moves.
   */
  moves(repository: string, options?: MovesOptions): AsyncIterable<TagMove>;
}
