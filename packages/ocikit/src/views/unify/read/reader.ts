// Reads blobs, manifests and tags from the members of a unified registry.
import { assertRepository, assertTag, parseDigest, resolveRange } from '../../../model/index.ts';
import type { BlobContent, CallOptions, Digest, Reader, ResolvedRange } from '../../../model/index.ts';

import { readAtOnce, readInTurn } from './first-answer.ts';
import type { MemberRead, FirstAnswer, ReadOrder } from './first-answer.ts';
import { Caller, isUnknown } from '../members/index.ts';
import { failoverContent } from './failover-content.ts';
import { failoverParts } from './failover-parts.ts';
import type { Member } from '../members/index.ts';
import type { FindTag } from './tags.ts';

/** The methods that read by digest. */
export type ContentReader = Pick<Reader, 'getBlob' | 'getManifest' | 'resolveBlob' | 'resolveManifest'>;

/** Reads by digest from any of these members. */
export function contentReader(members: readonly Member[], order: ReadOrder): ContentReader {
  const find = async <T>(repository: string, digest: Digest, options: CallOptions, ask: MemberRead<T>): Promise<T> => {
    const caller = new Caller(options);
    try {
      assertRepository(repository);
      parseDigest(digest);
      return (await inOrder(order, members, ask, options, caller)).value;
    } finally {
      caller.leave();
    }
  };
  return {
    async getBlob(repository, digest, options = {}) {
      const caller = new Caller(options);
      try {
        assertRepository(repository);
        parseDigest(digest);
        // Checks the form of the ranges: a malformed range is wrong for every size.
        for (const range of options.ranges ?? [options.range]) resolveRange(range, 0);
        const ask: MemberRead<Awaited<ReturnType<Reader['getBlob']>>> = {
          call: ({ registry }, call) => registry.getBlob(repository, digest, { ...options, ...call }),
          discard: (content) => content.cancel(),
        };
        const { member, value, others, end } = await inOrder(order, members, ask, options, caller);
        if (value.parts !== undefined) {
          const elsewhere = contentReader(others, order);
          const readElsewhere = (range: ResolvedRange): Promise<BlobContent> =>
            elsewhere.getBlob(repository, digest, { ...options, ranges: undefined, range });
          return failoverParts({
            content: value,
            readElsewhere: others.length === 0 ? undefined : readElsewhere,
            caller,
            signal: options.signal,
            onEnd: end,
          });
        }
        return failoverContent({ repository, digest, member, content: value, others, options, caller, onEnd: end });
      } catch (error) {
        caller.leave();
        throw error;
      }
    },
    getManifest: (repository, digest, options = {}) =>
      find(repository, digest, options, {
        call: ({ registry }, call) => registry.getManifest(repository, digest, call),
      }),
    resolveBlob: (repository, digest, options = {}) =>
      find(repository, digest, options, {
        call: ({ registry }, call) => registry.resolveBlob(repository, digest, call),
      }),
    resolveManifest: (repository, digest, options = {}) =>
      find(repository, digest, options, {
        call: ({ registry }, call) => registry.resolveManifest(repository, digest, call),
      }),
  };
}

function inOrder<T>(
  order: ReadOrder,
  members: readonly Member[],
  ask: MemberRead<T>,
  options: CallOptions,
  caller: Caller,
): Promise<FirstAnswer<T>> {
  return order === 'sequential' || members.length === 1
    ? readInTurn(members, ask, options, caller)
    : readAtOnce(members, ask, options, caller);
}

/**
 * Reads tags.
 *
 * @param findTag finds the manifest of a tag, and the members that have it
 */
export function tagReader(
  findTag: FindTag,
  members: readonly Member[],
  order: ReadOrder,
): Pick<Reader, 'getTag' | 'resolveTag'> {
  return {
    async getTag(repository, tag, options = {}) {
      assertNames(repository, tag, options);
      for (let attempt = 1; ; attempt++) {
        const found = await findTag(repository, tag, options);
        const others = members.filter((member) => !found.members.includes(member));
        const reader = contentReader([...found.members, ...others], order);
        try {
          return await reader.getManifest(repository, found.descriptor.digest, options);
        } catch (error) {
          // The tag may have moved meanwhile, and its old manifest may have been deleted.
          if (attempt === 2 || !isUnknown(error)) throw error;
        }
      }
    },
    async resolveTag(repository, tag, options = {}) {
      assertNames(repository, tag, options);
      return { ...(await findTag(repository, tag, options)).descriptor };
    },
  };
}

function assertNames(repository: string, tag: string, { signal }: CallOptions): void {
  signal?.throwIfAborted();
  assertRepository(repository);
  assertTag(tag);
}
