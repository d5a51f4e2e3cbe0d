// A view that asks a check before each call. It is the only place where the library decides about access.
import {
  assertRepository,
  history,
  historyOf,
  isRegistryError,
  maintenance,
  maintenanceOf,
  verifiesPushes,
} from '../model/index.ts';
import type { CallContext, CallOptions, MountSource, Registry } from '../model/index.ts';

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
  /** Pushing, uploading, mounting into it, setting and moving tags. */
  | 'write'
  /** Deleting blobs, tags, and manifests together with all of their tags. */
  | 'delete'
  /** Listing tags and referrers; the repositories, if none is named. */
  | 'list';

/** A call that a caller wants to make. */
export interface AccessRequest {
  /** A well-formed name. Undefined: the list of all repositories. */
  repository: string | undefined;
  /** The kind of access that the call needs. */
  access: AccessKind;
  /** The caller, as far as the call names it. */
  context: CallContext | undefined;
}

/** Allows a call by returning. Refuses it by throwing, for example a RegistryError with DENIED or UNAUTHORIZED. */
export type AccessCheck = (request: AccessRequest) => void | Promise<void>;

/**
 * Checks every call first. If the check throws, the call fails with that error, unchanged.
 *
 * - A mount asks for `write` on its target and for `read` on its source. If `read` is refused (DENIED, UNAUTHORIZED,
 *   NAME_UNKNOWN), the mount begins an upload, as for a missing blob: callers cannot find out what exists. A mount
 *   without a source searches the repositories that the caller may read.
 * - The list of repositories asks for `list` without a repository, and leaves out those whose `read` is refused. If a
 *   check fails in another way, the list fails: a short list would be taken for the complete one.
 * - An upload asks for `write` when it begins and whenever it is resumed.
 * - Deleting a manifest deletes its tags. Do not grant `delete` to callers that must not delete tags.
 * - The history of tags asks for `list`.
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
    ...rule(checked('list'), 'tags', 'referrers', 'history.moves'),
    ...rule(checked('list'), 'maintenance.manifests', 'maintenance.blobs', 'maintenance.uploads'),
  };

  const inner = maintenanceOf(registry);
  const view: View = {
    ...mapRepository(rules),
    async *repositories(options = {}) {
      options.signal?.throwIfAborted();
      await check({ repository: undefined, access: 'list', context: options.context });
      const mayRead = (name: string): Promise<boolean> => may(name, 'read', options);
      yield* shownRepositories(registry.repositories.bind(registry), options, (names) => namesWhere(names, mayRead));
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
