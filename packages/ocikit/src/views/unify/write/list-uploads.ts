// Lists the uploads of all members as uploads of the unified registry.
import { digestOf, limit as atMost, splitDigest } from '../../../model/index.ts';
import type { ListOptions, Maintenance, StoredUpload } from '../../../model/index.ts';

import type { UnifiedUploadIds } from './upload-ids.ts';

/**
 * The uploads of a repository, or of all repositories, in all members. The ids of this view sort in another order than
 * the members' ids, so all uploads are read and sorted. Members have at most a few hundred.
 *
 * @param members all members that are written to. If it is only one, the view has that member's uploads
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

/** The id of an upload that is known in one member only, as an earlier process has begun it. */
function aloneAs(ids: UnifiedUploadIds, count: number, i: number, id: string): string {
  // Computed from the member's id, so that it is the same in each list.
  const { encoded } = splitDigest(digestOf(new TextEncoder().encode(`${i} ${id}`)));
  const memberIds = Array.from({ length: count }, (_, member) => (member === i ? id : null));
  return ids.format(encoded.slice(0, 22), memberIds);
}

/** Its size is that of the member that is furthest behind. */
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
