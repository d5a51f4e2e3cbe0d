import { remember } from '../shared/index.ts';

/** Repositories of which it is remembered how they list referrers. */
const maxKnown = 1000;

/** How a repository lists referrers: by the API, or under a tag. */
export type ReferrersListing = 'api' | 'tag';

/** How repositories list referrers, so far as it is known, and the changes of lists under tags. */
export class ReferrersListings {
  readonly #known = new Map<string, ReferrersListing>();
  readonly #changes = new Map<string, Promise<void>>();

  of(repository: string): ReferrersListing | undefined {
    return this.#known.get(repository);
  }

  learn(repository: string, listing: ReferrersListing): void {
    remember(this.#known, repository, listing, maxKnown);
  }

  /** Changes of one list follow one another. */
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
