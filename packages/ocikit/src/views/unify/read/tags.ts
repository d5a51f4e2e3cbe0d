// Finds the manifest of a tag among the members.
import type { CallOptions, Descriptor } from '../../../model/index.ts';

import { askAll, failuresIn, mostTelling, TagConflictError, valuesIn, withCaller } from '../members/index.ts';
import type { Member, RepositoryQueue } from '../members/index.ts';
import { readInTurn } from './first-answer.ts';
import type { MemberRead } from './first-answer.ts';
import { newestOf } from './newest-tag.ts';
import type { FoundTag } from './newest-tag.ts';

/**
 * The tag that counts if members have different manifests of it.
 *
 * - `error`: none. Reading it rejects with CONFLICT, a {@link TagConflictError}
 * - `first`: the tag of the first member that has it. The other members are not asked
 * - `newest`: the tag with the newest manifest. If their times are not known, as `error`
 */
export type TagConflict = 'error' | 'first' | 'newest';

/** Finds the manifest that a tag points to. */
export type FindTag = (repository: string, tag: string, options: CallOptions) => Promise<FoundTag>;

/** How tags are found. */
export interface FindTagOptions {
  /** The tag that counts if members differ. */
  policy: TagConflict;
  /** The queue in which this view moves tags. */
  queue: RepositoryQueue;
}

/**
 * Asks the members for a tag. A member without the tag is ignored, and so is a member that fails if another one has the
 * tag.
 */
export function tagFinder(members: readonly Member[], { policy, queue }: FindTagOptions): FindTag {
  if (policy === 'first') return (repository, tag, options) => findFirst(members, repository, tag, options);
  return async (repository, tag, options) => {
    const found = await findAll(members, repository, tag, options);
    const chosen = await choose(found, policy, repository, options);
    if (chosen !== undefined) return chosen;
    // This view may be moving the tag now, and may have moved it in some members only. In the queue no tag moves.
    return queue.run(repository, options.signal, async () => {
      const settled = await findAll(members, repository, tag, options);
      const certain = await choose(settled, policy, repository, options);
      if (certain !== undefined) return certain;
      throw new TagConflictError(repository, tag, placesIn(settled));
    });
  };
}

async function findFirst(
  members: readonly Member[],
  repository: string,
  tag: string,
  options: CallOptions,
): Promise<FoundTag> {
  return withCaller(options, async (caller) => {
    const read: MemberRead<Descriptor> = { call: ({ registry }, call) => registry.resolveTag(repository, tag, call) };
    const { member, value } = await readInTurn(members, read, options, caller);
    return { descriptor: value, members: [member] };
  });
}

/** The manifests that the tag points to, in the order of the members. */
async function findAll(
  members: readonly Member[],
  repository: string,
  tag: string,
  options: CallOptions,
): Promise<FoundTag[]> {
  return withCaller(options, async (caller, call) => {
    const answers = await askAll(members, ({ registry }) => registry.resolveTag(repository, tag, call));
    caller.assertWants();
    const places = new Map<string, FoundTag>();
    for (const { member, value } of valuesIn(answers)) {
      const before = places.get(value.digest);
      places.set(value.digest, {
        descriptor: before?.descriptor ?? value,
        members: [...(before?.members ?? []), member],
      });
    }
    if (places.size === 0) throw mostTelling(failuresIn(answers));
    return [...places.values()];
  });
}

/** The manifest that counts; undefined if that is not known. */
async function choose(
  found: readonly FoundTag[],
  policy: TagConflict,
  repository: string,
  options: CallOptions,
): Promise<FoundTag | undefined> {
  if (found.length === 1) return found[0];
  return policy === 'newest' ? newestOf(found, repository, options) : undefined;
}

function placesIn(found: readonly FoundTag[]): ConstructorParameters<typeof TagConflictError>[2] {
  return found
    .flatMap(({ descriptor, members }) => members.map(({ index }) => ({ member: index, digest: descriptor.digest })))
    .toSorted((a, b) => a.member - b.member);
}
