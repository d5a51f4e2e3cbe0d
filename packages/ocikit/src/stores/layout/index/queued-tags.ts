import type { Digest } from '../../../model/index.ts';

import type { JournalRecord } from '../journal/index.ts';

/** What tags will be when all that is queued has been written: conditions are judged by that. */
export class QueuedTags {
  readonly #queued = new Map<string, Queued>();

  /** Undefined if nothing is queued for the tag. */
  get(repository: string, tag: string): Queued | undefined {
    return this.#queued.get(keyOf(repository, tag));
  }

  /** Those that will be at this digest. */
  at(repository: string, digest: Digest): string[] {
    return [...this.#queued.values()].flatMap((queued) =>
      queued.repository === repository && queued.digest === digest ? [queued.tag] : [],
    );
  }

  /** Until the returned function is called, others judge tags by these records. */
  add(records: readonly JournalRecord[]): () => void {
    const queued = records.flatMap((record) => {
      if (record.op !== 'tag' && record.op !== 'untag') return [];
      const { repository, tag } = record;
      const key = keyOf(repository, tag);
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
  /** Undefined: it will be deleted. */
  digest: Digest | undefined;
}

function keyOf(repository: string, tag: string): string {
  return `${repository}:${tag}`;
}
