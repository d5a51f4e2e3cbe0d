import {
  assertRepository,
  history,
  historyOf,
  isRegistryError,
  isRepository,
  maintenance,
  maintenanceOf,
  verifiesPushes,
} from '../model/index.ts';
import type { CallContext, CallOptions, Maintenance, MountSource, Registry } from '../model/index.ts';

import type { View } from './shared/index.ts';
import { uploadsOfShown, usageOf, withoutOrphans } from './shared/index.ts';

/** What a call does in a repository. */
export type AccessKind =
  /** Getting and resolving blobs, manifests and tags. */
  | 'read'
  /** Pushing, uploading, mounting into it, setting and moving tags. */
  | 'write'
  /** Deleting blobs, tags, and manifests together with all of their tags. */
  | 'delete'
  /** Listing tags and referrers; the repositories, if none is named. */
  | 'list';

/** What somebody wants to do. */
export interface AccessRequest {
  /** Well-formed; undefined: the list of all repositories. */
  repository: string | undefined;
  access: AccessKind;
  /** On whose behalf, as far as the call says. */
  context: CallContext | undefined;
}

/** Lets a call be made by returning, and refuses it by throwing: a RegistryError with DENIED or UNAUTHORIZED, for example. */
export type AccessCheck = (request: AccessRequest) => void | Promise<void>;

/**
 * Every call is checked first, and what the check throws is what the call fails with, unchanged.
 *
 * - A mount asks for `write` where it goes and for `read` where it comes from. If the latter is refused (DENIED, UNAUTHORIZED,
 *   NAME_UNKNOWN) it begins an upload, as for a blob that is not there: nobody learns what exists. A mount from anywhere looks
 *   where the caller may read.
 * - The list of repositories asks for `list` of none, and leaves out those whose `read` is refused. A check that fails in
 *   another way ends the list: it would be taken for the whole.
 * - An upload asks for `write` when it begins and whenever it is resumed.
 * - Deleting a manifest takes its tags with it: who must not delete tags must not be given `delete`.
 * - The moves of tags ask for `list`.
 * - Of {@link Maintenance}, lists ask for `list`, verifying and reading for `read`, leases for `write`, removing and putting aside for `delete`. What has no
 *   options has no context, and is judged so.
 *
 * @example
 * accessChecker(registry, ({ access, context }) => {
 *   if (access === 'read' || context?.caller === 'admin') return;
 *   throw new RegistryError('DENIED', `you may not ${access} here`);
 * })
 */
export function accessChecker(registry: Registry, check: AccessCheck): Registry {
  const inner = maintenanceOf(registry);
  const innerHistory = historyOf(registry);
  const guard: Guard = async (repository, access, options) => {
    options?.signal?.throwIfAborted();
    assertRepository(repository);
    await check({ repository, access, context: options?.context });
    options?.signal?.throwIfAborted();
  };
  const may: May = async (repository, access, options) => {
    try {
      await guard(repository, access, options);
      return true;
    } catch (error) {
      if (isRegistryError(error, 'DENIED', 'UNAUTHORIZED', 'NAME_UNKNOWN')) return false;
      throw error;
    }
  };

  const view: View = {
    async getBlob(repository, digest, options) {
      await guard(repository, 'read', options);
      return registry.getBlob(repository, digest, options);
    },
    async getManifest(repository, digest, options) {
      await guard(repository, 'read', options);
      return registry.getManifest(repository, digest, options);
    },
    async getTag(repository, tag, options) {
      await guard(repository, 'read', options);
      return registry.getTag(repository, tag, options);
    },
    async resolveBlob(repository, digest, options) {
      await guard(repository, 'read', options);
      return registry.resolveBlob(repository, digest, options);
    },
    async resolveManifest(repository, digest, options) {
      await guard(repository, 'read', options);
      return registry.resolveManifest(repository, digest, options);
    },
    async resolveTag(repository, tag, options) {
      await guard(repository, 'read', options);
      return registry.resolveTag(repository, tag, options);
    },

    async pushBlob(repository, blob, source, options) {
      await guard(repository, 'write', options);
      return registry.pushBlob(repository, blob, source, options);
    },
    async startUpload(repository, options) {
      await guard(repository, 'write', options);
      return registry.startUpload(repository, options);
    },
    async resumeUpload(repository, id, options) {
      await guard(repository, 'write', options);
      return registry.resumeUpload(repository, id, options);
    },
    async mountBlob(from, repository, digest, options) {
      await guard(repository, 'write', options);
      const source: MountSource =
        typeof from !== 'string'
          ? async (name) => (await may(name, 'read', options)) && (from === undefined || from(name))
          : (await may(from, 'read', options))
            ? from
            : () => false;
      return registry.mountBlob(source, repository, digest, options);
    },
    async pushManifest(repository, bytes, mediaType, options) {
      await guard(repository, 'write', options);
      return registry.pushManifest(repository, bytes, mediaType, options);
    },

    async deleteBlob(repository, digest, options) {
      await guard(repository, 'delete', options);
      return registry.deleteBlob(repository, digest, options);
    },
    async deleteManifest(repository, digest, options) {
      await guard(repository, 'delete', options);
      return registry.deleteManifest(repository, digest, options);
    },
    async deleteTag(repository, tag, options) {
      await guard(repository, 'delete', options);
      return registry.deleteTag(repository, tag, options);
    },

    async *repositories(options = {}) {
      const { limit, ...rest } = options;
      options.signal?.throwIfAborted();
      await check({ repository: undefined, access: 'list', context: options.context });
      if (limit === 0) {
        // Who wants nothing still learns whether there is such a list.
        yield* registry.repositories(options);
        return;
      }
      let count = 0;
      for await (const name of registry.repositories(rest)) {
        if (!isRepository(name) || !(await may(name, 'read', options))) continue;
        yield name;
        if (++count === limit) return;
      }
    },
    async *tags(repository, options) {
      await guard(repository, 'list', options);
      yield* registry.tags(repository, options);
    },
    async *referrers(repository, digest, options) {
      await guard(repository, 'list', options);
      yield* registry.referrers(repository, digest, options);
    },

    [maintenance]: inner && checkedMaintenance(inner, { guard, may }, (options) => view.repositories(options)),
    [history]: innerHistory && {
      async *moves(repository, options) {
        await guard(repository, 'list', options);
        yield* innerHistory.moves(repository, options);
      },
    },
    [verifiesPushes]: registry[verifiesPushes],
  };
  return view;
}

type Guard = (repository: string, access: AccessKind, options: CallOptions | undefined) => Promise<void>;

/** Whether {@link Guard} lets it be; what fails in another way than by refusing still fails. */
type May = (repository: string, access: AccessKind, options: CallOptions | undefined) => Promise<boolean>;

function checkedMaintenance(
  inner: Maintenance,
  { guard, may }: { guard: Guard; may: May },
  repositories: Registry['repositories'],
): Maintenance {
  const own: Maintenance = {
    async *manifests(repository, options) {
      await guard(repository, 'list', options);
      yield* inner.manifests(repository, options);
    },
    async *blobs(repository, options) {
      await guard(repository, 'list', options);
      yield* inner.blobs(repository, options);
    },
    async *uploads(repository, options) {
      if (repository === undefined) {
        yield* uploadsOfShown(inner, options, async (upload, name) =>
          (await may(name, 'list', options)) ? upload : undefined,
        );
        return;
      }
      await guard(repository, 'list', options);
      yield* inner.uploads(repository, options);
    },
    ...withoutOrphans,
    async readManifest(repository, digest, options) {
      await guard(repository, 'read', options);
      return inner.readManifest(repository, digest, options);
    },
    async quarantine(repository, digest) {
      await guard(repository, 'delete', undefined);
      return inner.quarantine(repository, digest);
    },
    async verify(repository, digest, options) {
      await guard(repository, 'read', options);
      return inner.verify(repository, digest, options);
    },
    async removeUnused(repository, digest, options) {
      await guard(repository, 'delete', undefined);
      return inner.removeUnused(repository, digest, options);
    },
    async lease(repository, digests) {
      await guard(repository, 'write', undefined);
      return inner.lease(repository, digests);
    },
    usage: () => usageOf(repositories(), own),
  };
  return own;
}
