// How repositories list referrers, as far as the client has learned it.
import { setBounded } from '../shared/index.ts';

/** Repositories that are remembered. */
const maxKnown = 1000;

/** How a repository lists referrers: by the API, or under a tag. */
export type ReferrersListing = 'api' | 'tag';

/** How repositories list referrers, as far as it is known, and the queue of changes of lists under tags. */
export class ReferrersListings {
  readonly #known = new Map<string, ReferrersListing>();
  readonly #changes = new Map<string, Promise<void>>();

  /** How a repository lists referrers; undefined if it is not known. */
  of(repository: string): ReferrersListing | undefined {
    return this.#known.get(repository);
  }

  /** Remembers how a repository lists referrers. */
  learn(repository: string, listing: ReferrersListing): void {
    setBounded(this.#known, repository, listing, maxKnown);
  }

  /** Changes a list under a tag, after all changes of it that were requested before. */
  async inTurn(list: string, change: () => Promise<void>): Promise<void> {
    const before = this.#changes.get(list) ?? Promise.resolve();
    const own = before.catch(() => undefined).then(change);
    this.#changes.set(list, own);
    try {
      await own;
    } finally {
      if (this.#changes.get(list) === own) this.#changes.delete(list);
    }
  }
}
