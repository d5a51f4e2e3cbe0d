import type { Descriptor, Digest } from '../../../model/index.ts';

/** What an upstream said of a tag, and when, by a clock that nobody sets. */
export interface TagState {
  descriptor: Descriptor;
  confirmedAt: number;
}

/** Tags that are remembered; one that is forgotten is only asked for once more. */
const most = 20_000;

/** Where tags are by the word of their upstreams. */
export class TagStates {
  /** By repository in the store, then by tag; the repositories in the order of their last confirmation. */
  readonly #repositories = new Map<string, Map<string, TagState>>();
  #size = 0;
  readonly #startedAt = performance.now();

  get(repository: string, tag: string): TagState | undefined {
    return this.#repositories.get(repository)?.get(tag);
  }

  /** Milliseconds since the tag was confirmed, or since the process began if it has not been. */
  age(repository: string, tag: string): number {
    return performance.now() - (this.get(repository, tag)?.confirmedAt ?? this.#startedAt);
  }

  confirm(repository: string, tag: string, descriptor: Descriptor): void {
    this.delete(repository, tag);
    const tags = this.#repositories.get(repository) ?? new Map<string, TagState>();
    this.#repositories.delete(repository);
    this.#repositories.set(repository, tags);
    tags.set(tag, { descriptor, confirmedAt: performance.now() });
    this.#size++;
    if (this.#size > most) this.#forgetOldest();
  }

  delete(repository: string, tag: string): void {
    if (this.#repositories.get(repository)?.delete(tag) === true) this.#size--;
  }

  /** The tags of a repository that are at this digest. */
  tagsAt(repository: string, digest: Digest): string[] {
    const found: string[] = [];
    for (const [tag, { descriptor }] of this.#repositories.get(repository) ?? []) {
      if (descriptor.digest === digest) found.push(tag);
    }
    return found;
  }

  #forgetOldest(): void {
    for (const [repository, tags] of this.#repositories) {
      for (const tag of tags.keys()) {
        tags.delete(tag);
        this.#size--;
        break;
      }
      if (tags.size === 0) this.#repositories.delete(repository);
      return;
    }
  }
}
