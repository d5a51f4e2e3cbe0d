// Maintains the members of a unified registry as one.
import { assertRepository, isRegistryError, maintenanceOf, parseDigest } from '../../model/index.ts';
import type { Digest, ListOptions, Maintenance, StoredBlob, StoredManifest, Usage } from '../../model/index.ts';

import { mergedList } from '../shared/index.ts';

import { askAll, failuresIn, findStored, outcomeOf, valuesIn } from './members/index.ts';
import type { Member } from './members/index.ts';
import { listUploads } from './write/index.ts';
import type { UnifiedUploadIds } from './write/index.ts';

/** A member that has a maintenance. */
export interface MaintainedMember extends Member {
  /** The member's maintenance. */
  readonly maintenance: Maintenance;
}

/**
 * Maintains all members as one. Undefined if a member has no maintenance.
 *
 * Content is corrupt if it is corrupt in one member, and missing if it is missing in all. Its last use is the latest of
 * all members. It is removed from the members that are written to, and counts as removed if no member has it any more.
 * Usage counts content of several members once, and reads the lists of all members for that. It does not count uploads
 * into repositories that do not exist yet.
 */
export function unifiedMaintenance(
  all: readonly Member[],
  writers: readonly Member[],
  ids: UnifiedUploadIds,
): Maintenance | undefined {
  const members = all.flatMap((member): MaintainedMember[] => {
    const maintenance = maintenanceOf(member.registry);
    return maintenance === undefined ? [] : [{ ...member, maintenance }];
  });
  if (members.length < all.length) return undefined;
  const written = members.filter(({ index }) => writers.some((writer) => writer.index === index));

  const manifests = (repository: string, options: ListOptions): AsyncGenerator<StoredManifest> =>
    mergedList(
      members.map(
        ({ maintenance }) =>
          (each) =>
            maintenance.manifests(repository, each),
      ),
      options,
      { key: ({ descriptor }) => descriptor.digest, combine: combined },
    );
  const blobs = (repository: string, options: ListOptions): AsyncGenerator<StoredBlob> =>
    mergedList(
      members.map(
        ({ maintenance }) =>
          (each) =>
            maintenance.blobs(repository, each),
      ),
      options,
      { key: ({ descriptor }) => descriptor.digest, combine: (items) => ({ ...items[0], ...timesOf(items) }) },
    );

  return {
    async *manifests(repository, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      yield* manifests(repository, options);
    },
    async *blobs(repository, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      yield* blobs(repository, options);
    },
    async *uploads(repository, options = {}) {
      options.signal?.throwIfAborted();
      if (repository !== undefined) assertRepository(repository);
      yield* listUploads(written, ids, repository, options);
    },
    async *orphans(options = {}) {
      const seen = new Set<Digest>();
      for (const { maintenance } of written) {
        for await (const orphan of maintenance.orphans(options)) {
          if (!seen.has(orphan.digest)) yield orphan;
          seen.add(orphan.digest);
        }
      }
    },
    async removeOrphan(digest, options) {
      parseDigest(digest);
      const answers = await askAll(written, async (_member, i) =>
        written[i]?.maintenance.removeOrphan(digest, options),
      );
      outcomeOf(`removing ${digest}`, answers);
      return valuesIn(answers).some(({ value }) => value === true);
    },
    async readManifest(repository, digest, options = {}) {
      options.signal?.throwIfAborted();
      const failures: unknown[] = [];
      for (const { maintenance } of members) {
        try {
          return await maintenance.readManifest(repository, digest, options);
        } catch (error) {
          options.signal?.throwIfAborted();
          failures.push(error);
        }
      }
      // The repository is known if one member knows it, so another error counts more than NAME_UNKNOWN.
      throw failures.find((error) => !isRegistryError(error, 'NAME_UNKNOWN')) ?? failures[0];
    },
    async quarantine(repository, digest) {
      assertRepository(repository);
      parseDigest(digest);
      const answers = await askAll(written, async (_member, i) =>
        written[i]?.maintenance.quarantine(repository, digest),
      );
      outcomeOf(`putting ${digest} into quarantine`, answers);
      return valuesIn(answers).some(({ value }) => value === true);
    },
    async verify(repository, digest, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      parseDigest(digest);
      const found = await Promise.all(
        members.map(({ maintenance }) => maintenance.verify(repository, digest, options)),
      );
      if (found.includes('corrupt')) return 'corrupt';
      return found.includes('ok') ? 'ok' : 'missing';
    },
    async removeUnused(repository, digest, options) {
      assertRepository(repository);
      parseDigest(digest);
      const answers = await askAll(written, async (_member, i) =>
        written[i]?.maintenance.removeUnused(repository, digest, options),
      );
      outcomeOf(`removing ${digest}`, answers);
      if (!valuesIn(answers).some(({ value }) => value === true)) return false;
      const kept = await Promise.all(members.map(({ maintenance }) => has(maintenance, repository, digest)));
      return !kept.includes(true);
    },
    async lease(repository, digests) {
      assertRepository(repository);
      const leased = [...digests];
      const answers = await askAll(written, async (_member, i) => written[i]?.maintenance.lease(repository, leased));
      const leases = valuesIn(answers).flatMap(({ value }) => value ?? []);
      const dispose = async (): Promise<void> => {
        await Promise.all(leases.splice(0).map((lease) => lease[Symbol.asyncDispose]()));
      };
      const [failure] = failuresIn(answers);
      if (failure === undefined) return { [Symbol.asyncDispose]: dispose };
      await dispose();
      throw failure.error;
    },
    async usage() {
      const usage: Usage = { repositories: 0, manifests: 0, blobs: 0, uploads: 0, size: 0 };
      const [manifestDigests, blobDigests] = [new Set<Digest>(), new Set<Digest>()];
      const count = async (items: AsyncIterable<StoredBlob>, counted: Set<Digest>): Promise<void> => {
        for await (const { descriptor, size } of items) {
          if (counted.has(descriptor.digest)) continue;
          counted.add(descriptor.digest);
          usage.size += size;
        }
      };
      const repositories = mergedList<ListOptions>(
        members.map(
          ({ registry }) =>
            (each) =>
              registry.repositories(each),
        ),
        {},
      );
      for await (const repository of repositories) {
        usage.repositories++;
        await unlessGone(count(manifests(repository, {}), manifestDigests));
        await unlessGone(count(blobs(repository, {}), blobDigests));
        for await (const { size } of listUploads(written, ids, repository, {})) {
          usage.uploads++;
          usage.size += size;
        }
      }
      return { ...usage, manifests: manifestDigests.size, blobs: blobDigests.size };
    },
  };
}

async function has(maintenance: Maintenance, repository: string, digest: Digest): Promise<boolean> {
  for (const list of [maintenance.manifests.bind(maintenance), maintenance.blobs.bind(maintenance)]) {
    if ((await findStored(list, repository, digest)) !== undefined) return true;
  }
  return false;
}

/** Ignores NAME_UNKNOWN: the repository may have been deleted since it was listed. */
async function unlessGone(counting: Promise<void>): Promise<void> {
  try {
    await counting;
  } catch (error) {
    if (!isRegistryError(error, 'NAME_UNKNOWN')) throw error;
  }
}

/** The manifest with the tags of all members: a tag in one member keeps it in all. */
function combined(items: readonly [StoredManifest, ...StoredManifest[]]): StoredManifest {
  const tags = [...new Set(items.flatMap((item) => item.tags))].toSorted();
  const pinned = items.some(({ isPinned }) => isPinned === true) ? { isPinned: true } : {};
  return { ...items[0], tags, ...timesOf(items), ...pinned };
}

function timesOf(items: readonly { createdAt: Date; usedAt: Date }[]): { createdAt: Date; usedAt: Date } {
  return {
    createdAt: new Date(Math.min(...items.map(({ createdAt }) => createdAt.getTime()))),
    usedAt: new Date(Math.max(...items.map(({ usedAt }) => usedAt.getTime()))),
  };
}
