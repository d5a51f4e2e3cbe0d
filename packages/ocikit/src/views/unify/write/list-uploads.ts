import { digestOf, limit as atMost, splitDigest } from '../../../model/index.ts';
import type { ListOptions, Maintenance, StoredUpload } from '../../../model/index.ts';

import type { UnifiedUploadIds } from './upload-ids.ts';

/**
 * The uploads of a repository, or of all of them, in all members. Ids of one's own have another order than the members', so all of them are put in
 * order; members have no more than a few hundred.
 *
 * @param members all that are written to. If it is one only, its uploads are those of the view
 */
export async function* listUploads(
  members: readonly { readonly maintenance: Maintenance }[],
  ids: UnifiedUploadIds,
  repository: string | undefined,
  options: ListOptions,
): AsyncGenerator<StoredUpload, void, undefined> {
  const [first, ...others] = members;
  if (first !== undefined && others.length === 0) {
    yield* first.maintenance.uploads(repository, options);
    return;
  }
  const { startAfter, limit, ...call } = options;
  const found = new Map<string, StoredUpload>();
  for (const [i, { maintenance }] of members.entries()) {
    const known = ids.byIdOf(i);
    for await (const upload of maintenance.uploads(repository, call)) {
      const id = known.get(upload.id) ?? aloneAs(ids, members.length, i, upload.id);
      found.set(id, combined(id, upload, found.get(id)));
    }
  }
  const sorted = [...found.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const rest = sorted.filter(({ id }) => startAfter === undefined || id > startAfter);
  yield* atMost(untilAborted(rest, options), limit);
}

/** The id of an upload of which only one member is known to have a part: an earlier process has begun it. */
function aloneAs(ids: UnifiedUploadIds, count: number, i: number, id: string): string {
  // The same each time that it is listed.
  const { encoded } = splitDigest(digestOf(new TextEncoder().encode(`${i} ${id}`)));
  const memberIds = Array.from({ length: count }, (_, member) => (member === i ? id : null));
  return ids.format(encoded.slice(0, 22), memberIds);
}

/** It stands where the member stands that is furthest behind. */
function combined(id: string, a: StoredUpload, b: StoredUpload = a): StoredUpload {
  return {
    id,
    repository: a.repository ?? b.repository,
    size: Math.min(a.size, b.size),
    createdAt: a.createdAt < b.createdAt ? a.createdAt : b.createdAt,
    usedAt: a.usedAt > b.usedAt ? a.usedAt : b.usedAt,
  };
}

async function* untilAborted<T>(items: readonly T[], { signal }: ListOptions): AsyncGenerator<T, void, undefined> {
  for (const item of items) {
    signal?.throwIfAborted();
    yield item;
  }
}
