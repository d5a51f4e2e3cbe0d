// Remembers the manifests that upstreams named for tags, and when.
import type { Descriptor, Digest } from '../../../model/index.ts';

/** The last answer of an upstream for a tag. */
export interface TagState {
  /** The manifest that the tag points to. */
  descriptor: Descriptor;
  /** The time of the answer, in milliseconds of `performance.now()`. */
  confirmedAt: number;
}

/** Tags that are remembered. A forgotten tag costs one more request. */
const most = 20_000;

/** The last answers of the upstreams for tags. */
export class TagStates {
  /** By repository in the store, then by tag. Repositories are in the order of their last answer. */
  readonly #repositories = new Map<string, Map<string, TagState>>();
  #size = 0;
  readonly #startedAt = performance.now();

  /** The last answer for a tag. */
  get(repository: string, tag: string): TagState | undefined {
    return this.#repositories.get(repository)?.get(tag);
  }

  /** Milliseconds since the last answer for the tag; since the start of the process if there was none. */
  age(repository: string, tag: string): number {
    return performance.now() - (this.get(repository, tag)?.confirmedAt ?? this.#startedAt);
  }

  /** Remembers an answer of now. */
  confirm(repository: string, tag: string, descriptor: Descriptor): void {
    this.delete(repository, tag);
    const tags = this.#repositories.get(repository) ?? new Map<string, TagState>();
    this.#repositories.delete(repository);
    this.#repositories.set(repository, tags);
    tags.set(tag, { descriptor, confirmedAt: performance.now() });
    this.#size++;
    if (this.#size > most) this.#forgetOldest();
  }

  /** Forgets a tag. */
  delete(repository: string, tag: string): void {
    if (this.#repositories.get(repository)?.delete(tag) === true) this.#size--;
  }

  /** The tags of a repository that point to this digest. */
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
