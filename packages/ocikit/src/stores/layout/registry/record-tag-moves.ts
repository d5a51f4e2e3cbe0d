import type { CallContext, Digest } from '../../../model/index.ts';

import { pooledRandomBytes } from '../files/index.ts';
import type { Layout } from '../index/index.ts';
import type { JournalRecord, RecordedMove } from '../journal/index.ts';

/**
 * Records that say of each tag how it moves by them; a manifest that is removed takes its tags with it. Call it in the step in
 * which they are queued: then a move begins where the one before it ends.
 *
 * @param records of one push or deletion, which set a tag once
 */
export function withTagMoves(
  layout: Layout,
  records: readonly JournalRecord[],
  context: CallContext | undefined,
): JournalRecord[] {
  const at = Date.now();
  const from = (previous: Digest | undefined): RecordedMove => {
    const id = pooledRandomBytes(9).toString('base64url');
    return { id, at, previous, caller: context?.caller };
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
    return [...tags.map((tag): JournalRecord => ({ op: 'untag', repository, tag, move: from(digest) })), record];
  });
}
