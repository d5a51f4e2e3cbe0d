// Adding to journal records how they move tags.
import type { CallContext, Digest } from '../../../model/index.ts';

import { pooledRandomBytes } from '../files/index.ts';
import type { Layout } from '../index/index.ts';
import type { JournalRecord, RecordedMove } from '../journal/index.ts';

/**
 * Adds to each record how it moves a tag; removing a manifest removes its tags. Call it in the step that queues the
 * records, so that each move starts where the one before ended.
 *
 * @param records the records of one push or deletion, which set each tag at most once
 */
export function withTagMoves(
  layout: Layout,
  records: readonly JournalRecord[],
  context: CallContext | undefined,
): JournalRecord[] {
  const at = Date.now();
  const from = (previous: Digest | undefined): RecordedMove => {
    const id = pooledRandomBytes(9).toString('base64url');
    return { id, at, previous, caller: context?.identity?.user };
  };
  return records.flatMap((record): JournalRecord[] => {
    if (record.op === 'tag' || record.op === 'untag') {
      const previous = layout.queuedTag(record.repository, record.tag);
      const isMoved = previous !== (record.op === 'tag' ? record.digest : undefined);
      return [isMoved ? { ...record, move: from(previous) } : record];
    }
    if (record.op !== 'unmanifest') return [record];
    const { repository, digest } = record;
    const tags = [...layout.queuedTagsAt(repository, digest)];
    const moves = tags.map((tag): JournalRecord => {
      // Other tools gave the same tag to a manifest that stays.
      const next = layout.shadowedBy(repository, tag).findLast((one) => one !== digest);
      if (next === undefined) return { op: 'untag', repository, tag, move: from(digest) };
      return { op: 'tag', repository, tag, digest: next, move: from(digest) };
    });
    return [...moves, record];
  });
}
