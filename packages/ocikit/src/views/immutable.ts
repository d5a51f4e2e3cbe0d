// A view in which tags cannot be moved or deleted.
import {
  assertCondition,
  assertRepository,
  conditionOn,
  digestOf,
  history,
  historyOf,
  isManifestUnknown,
  isRegistryError,
  maintenance,
  maintenanceOf,
  parseDigest,
  parseManifest,
  parseMediaType,
  RegistryError,
  splitDigest,
  verifiesPushes,
  wrongDigest,
} from '../model/index.ts';
import type { CallOptions, Descriptor, Digest, PushedManifest, PushManifestOptions, Registry } from '../model/index.ts';

import { forward, lists, Locks, reads, tagThatReaches } from './shared/index.ts';
import type { View } from './shared/index.ts';

/** The tags that {@link immutable} protects. */
export interface ImmutableOptions {
  /** The immutable tags: those that match the expression, or for which the function returns true. Default: all. */
  tags?: RegExp | ((tag: string, repository: string) => boolean) | undefined;
}

/** Attempts of a push that lost a race for its tag. */
const attempts = 10;

/**
 * The registry with tags that cannot change. Pushing other content to an existing tag is DENIED, and deleting the tag
 * is UNSUPPORTED. Deleting content that the tag reaches (its manifest, the manifests of an index, blobs, a subject) is
 * DENIED. Pushing the same content again is allowed.
 *
 * A tag is set under the condition that it does not exist (`ifTag`), so of several pushes of a new tag exactly one
 * wins, and the others are DENIED. Many registries that are reached over HTTP ignore conditions. There the calls of
 * this view take turns, and each checks the tag again after its push. A push that bypasses this view may still move a
 * tag between the first check and the push.
 *
 * A delete looks through all immutable tags of the repository and the content that they reach. Deletes and pushes of
 * this view wait for each other.
 *
 * Maintenance is passed on unchanged: it does not remove tagged content.
 *
 * @example
 * // Releases cannot change, `latest` can.
 * immutable(registry, { tags: /^v\d/ })
 */
export function immutable(registry: Registry, options: ImmutableOptions = {}): Registry {
  const isImmutable = matcherOf(options.tags);
  const locks = new Locks();

  const resolve = async (repository: string, tag: string, call: CallOptions): Promise<Descriptor | undefined> => {
    try {
      return await registry.resolveTag(repository, tag, { signal: call.signal, context: call.context });
    } catch (error) {
      if (isManifestUnknown(error)) return undefined;
      throw error;
    }
  };

  /**
   * @returns the condition under which the tags are set
   * @throws RegistryError if the tags must not be set this way
   */
  const judge = async (push: Push): Promise<Map<string, Digest | null>> => {
    const judged = new Map<string, Digest | null>();
    let isSame = false;
    for (const tag of push.tags) {
      const found = await resolve(push.repository, tag, push.options);
      assertCondition(tag, push.options.ifTag, found?.digest);
      if (isImmutable(tag, push.repository)) {
        if (found !== undefined) assertSame(tag, found, push);
        isSame ||= found !== undefined;
        judged.set(tag, found?.digest ?? null);
      } else {
        const expected = conditionOn(tag, push.options.ifTag);
        if (expected !== undefined) judged.set(tag, expected);
      }
    }
    if (!isSame) await assertTypeStays(push);
    return judged;
  };

  /** A tag that reaches a manifest also fixes the manifest's media type. */
  const assertTypeStays = async ({ repository, digest, mediaType, options: call }: Push): Promise<void> => {
    const quiet = { signal: call.signal, context: call.context };
    const found = await registry.resolveManifest(repository, digest, quiet).catch((error: unknown) => {
      if (isManifestUnknown(error)) return undefined;
      throw error;
    });
    if (found === undefined || found.mediaType === mediaType) return;
    const tag = await tagThatReaches(registry, repository, digest, isImmutable, quiet);
    if (tag !== undefined)
      throw new RegistryError('DENIED', `tag ${tag} is immutable: its media type is ${found.mediaType}`);
  };

  /** Checks the tags after a push: a registry that ignores conditions may have moved a tag that was set meanwhile. */
  const lookAgain = async ({ repository, digest, options: call }: Push, tags: readonly string[]): Promise<void> => {
    for (const tag of tags) {
      const found = await resolve(repository, tag, call);
      if (found !== undefined && found.digest !== digest) throw denied(tag, found.digest);
    }
  };

  const push = async (wanted: Push): Promise<PushedManifest> => {
    const { repository, bytes, type, tags, options: call } = wanted;
    for (let attempt = 1; ; attempt++) {
      const ifTag = await judge(wanted);
      try {
        const pushed = await registry.pushManifest(repository, bytes, type, { ...call, tags, ifTag });
        const fresh = tags.filter((tag) => isImmutable(tag, repository) && ifTag.get(tag) === null);
        await lookAgain(wanted, fresh);
        return pushed;
      } catch (error) {
        // A tag has changed since the check: `judge` decides again.
        if (attempt === attempts || !isRegistryError(error, 'PRECONDITION_FAILED')) throw error;
      }
    }
  };

  /** Deletes under a lock: nothing is pushed between the check of the tags and the delete. */
  const deleting = async (
    repository: string,
    digest: Digest,
    call: CallOptions | undefined,
    run: () => Promise<void>,
  ): Promise<void> => {
    call?.signal?.throwIfAborted();
    assertRepository(repository);
    parseDigest(digest);
    await locks.hold(repository, 'alone', call?.signal, async () => {
      const tag = await tagThatReaches(registry, repository, digest, isImmutable, call ?? {});
      if (tag !== undefined) {
        throw new RegistryError('DENIED', `${digest} belongs to the immutable tag ${repository}:${tag}`);
      }
      await run();
    });
  };

  const view: View = {
    ...forward(registry, ...reads, ...lists),
    ...forward(registry, 'pushBlob', 'startUpload', 'resumeUpload', 'mountBlob'),
    async pushManifest(repository, bytes, mediaType, call = {}) {
      call.signal?.throwIfAborted();
      assertRepository(repository);
      const algorithm = call.digest === undefined ? undefined : splitDigest(parseDigest(call.digest)).algorithm;
      const digest = digestOf(bytes, algorithm);
      if (call.digest !== undefined && call.digest !== digest) throw wrongDigest(call.digest, digest);
      const tags = [...new Set(call.tags)];
      const wanted: Push = {
        repository,
        bytes,
        type: mediaType,
        mediaType: parseMediaType(mediaType) ?? mediaType,
        digest,
        tags,
        options: call,
      };
      const named = tags.filter((tag) => isImmutable(tag, repository)).map((tag) => `${repository}:${tag}`);
      return locks.hold(repository, 'together', call.signal, () =>
        locks.holdAll(named, call.signal, () => push(wanted)),
      );
    },
    deleteBlob: (repository, digest, call) =>
      deleting(repository, digest, call, () => registry.deleteBlob(repository, digest, call)),
    deleteManifest: (repository, digest, call) =>
      deleting(repository, digest, call, () => registry.deleteManifest(repository, digest, call)),
    async deleteTag(repository, tag, call = {}) {
      if (!isImmutable(tag, repository)) return registry.deleteTag(repository, tag, call);
      const found = await registry.resolveTag(repository, tag, call);
      assertCondition(tag, call.ifTag, found.digest);
      throw new RegistryError('UNSUPPORTED', `tag ${tag} cannot be deleted: it is immutable`);
    },
    [maintenance]: maintenanceOf(registry),
    [history]: historyOf(registry),
    [verifiesPushes]: registry[verifiesPushes],
  };
  return view;
}

interface Push {
  repository: string;
  bytes: Uint8Array;
  /** The media type as the caller wrote it. */
  type: string;
  mediaType: string;
  digest: Digest;
  /** Each once. */
  tags: readonly string[];
  options: PushManifestOptions;
}

/** @throws RegistryError DENIED */
function assertSame(tag: string, found: Descriptor, push: Push): void {
  if (found.digest === push.digest && found.mediaType === push.mediaType) return;
  // If the bytes are no manifest, that error comes first, as in a store.
  parseManifest(push.bytes, push.type);
  if (found.digest !== push.digest) throw denied(tag, found.digest);
  throw new RegistryError('DENIED', `tag ${tag} is immutable: its media type is ${found.mediaType}`);
}

function denied(tag: string, found: Digest): RegistryError {
  return new RegistryError('DENIED', `tag ${tag} is immutable and points to ${found}: push to another tag`, {
    detail: { tag, found },
  });
}

function matcherOf(tags: ImmutableOptions['tags']): (tag: string, repository: string) => boolean {
  if (tags === undefined) return () => true;
  if (typeof tags === 'function') return tags;
  // With `g` or `y` an expression remembers its last position, and would not match the same tag twice.
  const pattern = new RegExp(tags.source, tags.flags.replace(/[gy]/g, ''));
  return (tag) => pattern.test(tag);
}
