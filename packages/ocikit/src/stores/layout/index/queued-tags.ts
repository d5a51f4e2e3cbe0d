// The tags as they will be when all queued journal records are written.
import type { Digest } from '../../../model/index.ts';

import type { JournalRecord } from '../journal/index.ts';

/** Tags as they will be after all queued records. Conditions such as `ifTag` are checked against this. */
export class QueuedTags {
  readonly #queued = new Map<string, Queued>();

  /** Undefined if nothing is queued for the tag. */
  get(repository: string, tag: string): Queued | undefined {
    return this.#queued.get(tagKey(repository, tag));
  }

  /** The tags that will have this digest. */
  at(repository: string, digest: Digest): string[] {
    return [...this.#queued.values()].flatMap((queued) =>
      queued.repository === repository && queued.digest === digest ? [queued.tag] : [],
    );
  }

  /** Adds records until the returned function is called. */
  add(records: readonly JournalRecord[]): () => void {
    const queued = records.flatMap((record) => {
      if (record.op !== 'tag' && record.op !== 'untag') return [];
      const { repository, tag } = record;
      const key = tagKey(repository, tag);
      const entry = { repository, tag, digest: record.op === 'tag' ? record.digest : undefined };
      this.#queued.set(key, entry);
      return [{ key, entry }];
    });
    return () => {
      for (const { key, entry } of queued) if (this.#queued.get(key) === entry) this.#queued.delete(key);
    };
  }
}

interface Queued {
  repository: string;
  tag: string;
  /** Undefined if the tag will be deleted. */
  digest: Digest | undefined;
}

function tagKey(repository: string, tag: string): string {
  return `${repository}:${tag}`;
}
