// The history of the memory registry: how tags moved.
import { assertRepository, assertTag, limit as atMost } from '../../model/index.ts';
import type { CallOptions, Digest, History, MovesOptions, TagMove } from '../../model/index.ts';

/** The greatest number of moves to remember. When there are more, the oldest tenth is forgotten. */
const defaultMost = 100_000;

/** How the tags of all repositories moved. Moves of deleted repositories are kept as well. */
export class MemoryHistory implements History {
  readonly #most: number;
  /** Oldest first. */
  readonly #moves: { repository: string; move: TagMove }[] = [];

  constructor(most: number = defaultMost) {
    this.#most = most;
  }

  /** Records a move. Call it in the same step as the move. Does nothing if the tag stays at the same digest. */
  note(
    repository: string,
    tag: string,
    to: { previous: Digest | undefined; digest: Digest | undefined } & CallOptions,
  ): void {
    const { previous, digest, context } = to;
    if (previous === digest) return;
    const caller = context?.identity?.user;
    this.#moves.push({
      repository,
      move: { tag, at: new Date(), digest, previous, ...(caller === undefined ? {} : { caller }) },
    });
    if (this.#moves.length > this.#most) this.#moves.splice(0, Math.ceil(this.#most / 10));
  }

  async *moves(
    repository: string,
    { tag, limit, signal }: MovesOptions = {},
  ): AsyncGenerator<TagMove, void, undefined> {
    signal?.throwIfAborted();
    assertRepository(repository);
    if (tag !== undefined) assertTag(tag);
    yield* atMost(this.#newestFirst(repository, tag, signal), limit);
  }

  async *#newestFirst(
    repository: string,
    tag: string | undefined,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<TagMove, void, undefined> {
    // A copy, because moves may be added and forgotten while these are read.
    const found = this.#moves.filter((one) => one.repository === repository && (tag ?? one.move.tag) === one.move.tag);
    for (const { move } of found.toReversed()) {
      signal?.throwIfAborted();
      yield { ...move, at: new Date(move.at) };
    }
  }
}
