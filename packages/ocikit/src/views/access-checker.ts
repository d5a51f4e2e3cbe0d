// A view that asks a check before each call. It is the only place where the library decides about access.
import {
  assertCondition,
  assertRepository,
  digestOf,
  history,
  historyOf,
  isManifestUnknown,
  isRegistryError,
  maintenance,
  maintenanceOf,
  verifiesPushes,
} from '../model/index.ts';
import type {
  CallContext,
  CallOptions,
  Digest,
  MountSource,
  PushManifestOptions,
  Registry,
  Writer,
} from '../model/index.ts';

import {
  deletes,
  mapHistory,
  mapMaintenance,
  mapRepository,
  namesWhere,
  pushes,
  reads,
  rule,
  shownRepositories,
  sourceWithin,
  uploadsOfShown,
  withoutOrphans,
} from './shared/index.ts';
import type { RepositoryRule, RepositoryRules, View } from './shared/index.ts';

/** The kinds of access to a repository. */
export type AccessKind =
  /** Getting and resolving blobs, manifests and tags. */
  | 'read'
  /** Pushing, uploading, mounting into it, setting tags. */
  | 'write'
  /** Moving a tag that exists to another manifest. A push that does so needs it beside `write`. */
  | 'overwrite'
  /** Deleting blobs, tags, and manifests together with all of their tags. */
  | 'delete'
  /** Listing tags and referrers; the repositories, if none is named. */
  | 'list'
  /** Being named in the list of all repositories. */
  | 'show'
  /** Reading how tags moved. */
  | 'history';

/** A call that a caller wants to make. */
export interface AccessRequest {
  /** A well-formed name. Undefined: the list of all repositories. */
  repository: string | undefined;
  /** The kind of access that the call needs. */
  access: AccessKind;
  /** The tag that the call would move: of `overwrite` alone. */
  tag?: string | undefined;
  /** The digest that the tag points to: of `overwrite` alone. */
  digest?: Digest | undefined;
  /** The caller, as far as the call names it. */
  context: CallContext | undefined;
}

/** Attempts of a push whose tags keep moving. Each one that fails means that another push has succeeded. */
const attempts = 100;

/** Allows a call by returning. Refuses it by throwing, for example a RegistryError with DENIED or UNAUTHORIZED. */
export type AccessCheck = (request: AccessRequest) => void | Promise<void>;

/**
 * Checks every call first. If the check throws, the call fails with that error, unchanged.
 *
 * - A mount asks for `write` on its target and for `read` on its source. If `read` is refused (DENIED, UNAUTHORIZED,
 *   NAME_UNKNOWN), the mount begins an upload, as for a missing blob: callers cannot find out what exists. A mount
 *   without a source searches the repositories that the caller may read.
 * - The list of repositories asks for `list` without a repository, and leaves out those whose `show` is refused. If a
 *   check fails in another way, the list fails: a short list would be taken for the complete one.
 * - An upload asks for `write` when it begins and whenever it is resumed.
 * - A push asks for `overwrite` for each of its tags that points to another manifest, with the digest of that. If the
 *   tag moves between the check and the push, the check is asked again: the push happens only under the condition that
 *   was judged. Over HTTP that is as certain as the registry's own conditions are.
 * - Deleting a manifest deletes its tags. Do not grant `delete` to callers that must not delete tags.
 * - In {@link Maintenance}, lists ask for `list`, verifying and reading for `read`, leases for `write`, removing and
 *   quarantine for `delete`. A method without options is checked without a context.
 *
 * @example
 * accessChecker(registry, ({ access, context }) => {
 *   if (access === 'read' || context?.identity?.user === 'admin') return;
 *   throw new RegistryError('DENIED', `you may not ${access} here`);
 * })
 */
export function accessChecker(registry: Registry, check: AccessCheck): Registry {
  const guard = async (repository: string, access: AccessKind, options: CallOptions | undefined): Promise<void> => {
    options?.signal?.throwIfAborted();
    assertRepository(repository);
    await check({ repository, access, context: options?.context });
    options?.signal?.throwIfAborted();
  };
  /** False if the guard refuses. Any other failure of the check is thrown. */
  const may = async (repository: string, access: AccessKind, options: CallOptions | undefined): Promise<boolean> => {
    try {
      await guard(repository, access, options);
      return true;
    } catch (error) {
      if (isRegistryError(error, 'DENIED', 'UNAUTHORIZED', 'NAME_UNKNOWN')) return false;
      throw error;
    }
  };
  const checked =
    (access: AccessKind): RepositoryRule =>
    async ({ repository, options }) => {
      await guard(repository, access, options);
      const source = (from: MountSource | undefined): Promise<MountSource> =>
        sourceWithin(from, (name) => may(name, 'read', options));
      return { registry, repository, source };
    };
  const rules: RepositoryRules = {
    ...rule(checked('read'), ...reads, 'maintenance.readManifest', 'maintenance.verify'),
    ...rule(checked('write'), ...pushes, 'maintenance.lease'),
    ...rule(checked('delete'), ...deletes, 'maintenance.removeUnused', 'maintenance.quarantine'),
    ...rule(checked('list'), 'tags', 'referrers'),
    ...rule(checked('history'), 'history.moves'),
    ...rule(checked('list'), 'maintenance.manifests', 'maintenance.blobs', 'maintenance.uploads'),
  };

  const mapped = mapRepository(rules);

  /** The digest that a tag points to, as far as it has to be known before a push. */
  const resolve = async (repository: string, tag: string, options: CallOptions): Promise<Digest | undefined> => {
    try {
      return (await registry.resolveTag(repository, tag, { signal: options.signal, context: options.context })).digest;
    } catch (error) {
      if (isManifestUnknown(error)) return undefined;
      throw error;
    }
  };

  /** @returns the condition under which the tags of a push may be set */
  const judgeTags = async (
    repository: string,
    pushed: Digest,
    options: PushManifestOptions,
  ): Promise<ReadonlyMap<string, Digest | null>> => {
    const judged = new Map<string, Digest | null>();
    for (const tag of new Set(options.tags)) {
      const digest = await resolve(repository, tag, options);
      assertCondition(tag, options.ifTag, digest);
      if (digest !== undefined && digest !== pushed) {
        await check({ repository, access: 'overwrite', tag, digest, context: options.context });
        options.signal?.throwIfAborted();
      }
      judged.set(tag, digest ?? null);
    }
    return judged;
  };

  const pushManifest: Writer['pushManifest'] = async (repository, bytes, mediaType, options = {}) => {
    if ((options.tags ?? []).length === 0) return mapped.pushManifest(repository, bytes, mediaType, options);
    await guard(repository, 'write', options);
    const pushed = options.digest ?? digestOf(bytes);
    for (let attempt = 1; ; attempt++) {
      const ifTag = await judgeTags(repository, pushed, options);
      try {
        return await registry.pushManifest(repository, bytes, mediaType, { ...options, ifTag });
      } catch (error) {
        // A tag has moved since it was judged.
        if (attempt === attempts || !isRegistryError(error, 'PRECONDITION_FAILED')) throw error;
      }
    }
  };

  const inner = maintenanceOf(registry);
  const view: View = {
    ...mapped,
    pushManifest,
    async *repositories(options = {}) {
      options.signal?.throwIfAborted();
      await check({ repository: undefined, access: 'list', context: options.context });
      const mayShow = (name: string): Promise<boolean> => may(name, 'show', options);
      yield* shownRepositories(registry.repositories.bind(registry), options, (names) => namesWhere(names, mayShow));
    },
    [maintenance]:
      inner &&
      mapMaintenance(rules, {
        repositories: () => view.repositories(),
        uploads: (options) =>
          uploadsOfShown(inner, options, async (upload, name) =>
            (await may(name, 'list', options)) ? upload : undefined,
          ),
        ...withoutOrphans,
      }),
    [history]: historyOf(registry) && mapHistory(rules),
    [verifiesPushes]: registry[verifiesPushes],
  };
  return view;
}
