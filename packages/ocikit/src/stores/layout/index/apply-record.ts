// Applying journal records to the content of a layout, and turning changes back into records.
import type { Digest } from '../../../model/index.ts';

import type { JournalRecord } from '../journal/index.ts';

import type { LayoutChanges, RepositoryChanges } from './changes.ts';
import type { LayoutContent } from './layout-content.ts';
import type { LayoutRepository } from './layout-repository.ts';

/** Applies a record to the content of a layout and notes the change. */
export function applyRecord(content: LayoutContent, changes: LayoutChanges, record: JournalRecord): void {
  if (record.op === 'folded' || record.op === 'base') return;
  const repository = content.repository(record.repository);
  const changed = changes.of(record.repository);
  const { index, kept, implicit, unparsed, opaque, unowned, disowned } = repository;
  switch (record.op) {
    case 'tag':
      noteTag(repository, changed, record.tag);
      if (!isUnchanged(repository, record.tag, record.digest)) kept.promote(record.tag, record.digest);
      // The tagged manifest gets an entry of its own.
      if (implicit.delete(record.digest)) changed.manifests.add(record.digest);
      index.setTag(record.tag, record.digest);
      break;
    case 'untag': {
      const digest = index.digestOfTag(record.tag);
      noteTag(repository, changed, record.tag);
      // Entries that were shadowed would give the tag to other manifests after a restart.
      for (const shadowed of kept.removeTag(record.tag)) changed.manifests.add(shadowed);
      // A manifest that loses its last tag gets an entry of its own.
      if (digest !== undefined) changed.manifests.add(digest);
      index.removeTag(record.tag);
      break;
    }
    case 'manifest': {
      const { descriptor, subject, referrer } = record;
      const { digest, mediaType } = descriptor;
      const isNew = !changed.manifests.has(digest) && !index.manifests.has(digest);
      if (isNew && !changes.isWriting) changed.unwritten.add(digest);
      changed.manifests.add(digest);
      implicit.delete(digest);
      unparsed.delete(digest);
      opaque.delete(digest);
      disowned.delete(digest);
      kept.keepType(digest, mediaType);
      if (record.unowned === undefined) unowned.delete(digest);
      else unowned.set(digest, record.unowned);
      repository.putManifest(descriptor, 0, { subject, referrer });
      break;
    }
    case 'unmanifest': {
      const tags = [...(index.manifests.get(record.digest)?.tags ?? [])];
      for (const tag of tags) noteTag(repository, changed, tag);
      changed.manifests.add(record.digest);
      kept.removeManifest(record.digest);
      implicit.delete(record.digest);
      unparsed.delete(record.digest);
      opaque.delete(record.digest);
      unowned.delete(record.digest);
      if (record.disowned === true) disowned.add(record.digest);
      index.removeManifest(record.digest);
      for (const tag of tags) {
        // Other tools gave the same tag to a manifest that stays.
        const next = kept.shadowedBy(tag).at(-1);
        if (next !== undefined) index.setTag(tag, next);
        kept.promote(tag, next);
      }
      break;
    }
    case 'blob': {
      const { digest, size } = record;
      const now = Date.now();
      changed.blobs.add(digest);
      disowned.delete(digest);
      index.blobs.set(digest, { size, createdAt: index.blobs.get(digest)?.createdAt ?? now, usedAt: now });
      break;
    }
    case 'unblob':
      changed.blobs.add(record.digest);
      index.blobs.delete(record.digest);
      if (record.disowned === true) disowned.add(record.digest);
      break;
  }
  if (index.isEmpty) content.forget(record.repository);
}

/** Notes that a tag changes, before it does. */
function noteTag({ index }: LayoutRepository, { tags }: RepositoryChanges, tag: string): void {
  if (!tags.has(tag)) tags.set(tag, index.digestOfTag(tag));
}

/** True if the entry of a tag, which another tool wrote, needs no change. */
function isUnchanged({ index, kept }: LayoutRepository, tag: string, digest: Digest): boolean {
  const entry = kept.ofTag(tag);
  return entry?.digest === digest && entry.mediaType === index.manifests.get(digest)?.descriptor.mediaType;
}

/**
 * The records that apply these changes to another state of the same layout.
 *
 * @param repositories their state after the changes
 */
export function* recordsOf(
  changes: LayoutChanges,
  repositories: ReadonlyMap<string, LayoutRepository>,
): Generator<JournalRecord> {
  for (const [repository, { tags, manifests, blobs }] of changes) {
    const index = repositories.get(repository)?.index;
    for (const digest of manifests) yield manifestRecord(repository, repositories.get(repository), digest);
    for (const tag of tags.keys()) {
      const digest = index?.digestOfTag(tag);
      yield digest === undefined ? { op: 'untag', repository, tag } : { op: 'tag', repository, tag, digest };
    }
    for (const digest of blobs) {
      const size = index?.blobs.get(digest)?.size;
      if (size === undefined) yield { op: 'unblob', repository, digest, disowned: true };
      else yield { op: 'blob', repository, digest, size };
    }
  }
}

function manifestRecord(repository: string, from: LayoutRepository | undefined, digest: Digest): JournalRecord {
  const entry = from?.index.manifests.get(digest);
  if (entry === undefined) return { op: 'unmanifest', repository, digest, disowned: true };
  const { descriptor, subject, referrer } = entry;
  return { op: 'manifest', repository, descriptor, subject, referrer, unowned: from?.unownedNow(digest) };
}
