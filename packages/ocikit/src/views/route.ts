import {
  assertRepository,
  history,
  historyOf,
  isRepository,
  maintenance,
  maintenanceOf,
  RegistryError,
  verifiesPushes,
} from '../model/index.ts';
import type { CallOptions, ListOptions, Maintenance, MountSource, Registry } from '../model/index.ts';

import type { View } from './shared/index.ts';
import { mergedList, uploadsOfShown, usageOf } from './shared/index.ts';

/** Where a repository is; undefined: nowhere. It is asked about names that are well-formed. */
export type FindRegistry = (repository: string) => Registry | undefined | Promise<Registry | undefined>;

/**
 * Registries by what names begin with, in whole components: `team` is for `team` and `team/app`, not for `teams`. The longest
 * one counts; the empty one is for all that no other is for.
 */
export type RouteTable = Readonly<Record<string, Registry>>;

export interface RouteOptions {
  /**
   * All registries that the function may give, so that repositories can be listed: UNSUPPORTED if they are left out. A table
   * names them itself.
   */
  members?: readonly Registry[] | undefined;
}

/**
 * One registry made of several, each of which has some of the repositories, under the names that they have there.
 *
 * A repository that is nowhere is NAME_UNKNOWN to who reads and DENIED to who writes. Mounting across registries begins an
 * upload. The list of repositories merges those of the members, and has of each only what is routed to it: it fails if one
 * of them does.
 *
 * Maintenance is passed on if each member has it, and so is history.
 *
 * @throws RegistryError NAME_INVALID if a table has a key that is neither empty nor a repository's name
 * @example
 * route({ '': createClient({ host: 'registry.example.com' }), 'scratch': createMemoryRegistry() })
 */
export function route(find: FindRegistry | RouteTable, options: RouteOptions = {}): Registry {
  const findMember = typeof find === 'function' ? find : tableOf(find);
  const named = typeof find === 'function' ? options.members : Object.values(find);
  const members = named === undefined ? undefined : [...new Set(named)];

  const maintained = members?.flatMap((registry): MaintainedMember[] => {
    const inner = maintenanceOf(registry);
    return inner === undefined ? [] : [{ registry, maintained: inner }];
  });

  const memberFor = async (repository: string, call: CallOptions | undefined): Promise<Registry | undefined> => {
    call?.signal?.throwIfAborted();
    assertRepository(repository);
    return findMember(repository);
  };
  const reading = async (repository: string, call: CallOptions | undefined): Promise<Registry> => {
    const member = await memberFor(repository, call);
    if (member === undefined) throw nameUnknown(repository);
    return member;
  };
  const writing = async (repository: string, call: CallOptions | undefined): Promise<Registry> => {
    const member = await memberFor(repository, call);
    if (member !== undefined) return member;
    throw new RegistryError('DENIED', `nothing may be pushed to ${repository}`, { detail: { name: repository } });
  };

  const view: View = {
    async getBlob(repository, digest, call) {
      return (await reading(repository, call)).getBlob(repository, digest, call);
    },
    async getManifest(repository, digest, call) {
      return (await reading(repository, call)).getManifest(repository, digest, call);
    },
    async getTag(repository, tag, call) {
      return (await reading(repository, call)).getTag(repository, tag, call);
    },
    async resolveBlob(repository, digest, call) {
      return (await reading(repository, call)).resolveBlob(repository, digest, call);
    },
    async resolveManifest(repository, digest, call) {
      return (await reading(repository, call)).resolveManifest(repository, digest, call);
    },
    async resolveTag(repository, tag, call) {
      return (await reading(repository, call)).resolveTag(repository, tag, call);
    },

    async pushBlob(repository, blob, source, call) {
      return (await writing(repository, call)).pushBlob(repository, blob, source, call);
    },
    async startUpload(repository, call) {
      return (await writing(repository, call)).startUpload(repository, call);
    },
    async resumeUpload(repository, id, call) {
      return (await writing(repository, call)).resumeUpload(repository, id, call);
    },
    async mountBlob(from, repository, digest, call) {
      const member = await writing(repository, call);
      // A member may have repositories that are routed elsewhere, and are not its to give.
      const isIts = async (name: string): Promise<boolean> => (await memberFor(name, call)) === member;
      const source: MountSource =
        typeof from !== 'string'
          ? async (name) => (await isIts(name)) && (from === undefined || from(name))
          : (await isIts(from))
            ? from
            : () => false;
      return member.mountBlob(source, repository, digest, call);
    },
    async pushManifest(repository, bytes, mediaType, call) {
      return (await writing(repository, call)).pushManifest(repository, bytes, mediaType, call);
    },

    async deleteBlob(repository, digest, call) {
      return (await reading(repository, call)).deleteBlob(repository, digest, call);
    },
    async deleteManifest(repository, digest, call) {
      return (await reading(repository, call)).deleteManifest(repository, digest, call);
    },
    async deleteTag(repository, tag, call) {
      return (await reading(repository, call)).deleteTag(repository, tag, call);
    },

    async *repositories(call = {}) {
      if (members === undefined) {
        throw new RegistryError('UNSUPPORTED', 'repositories are not listed here', {
          detail: { method: 'repositories' },
        });
      }
      const lists = members.map((member) => (each: ListOptions) => routedTo(member, findMember, each));
      yield* mergedList(lists, call);
    },
    async *tags(repository, call) {
      yield* (await reading(repository, call)).tags(repository, call);
    },
    async *referrers(repository, digest, call) {
      // Of what is not known there are none, and that is no error.
      const member = await memberFor(repository, call);
      if (member !== undefined) yield* member.referrers(repository, digest, call);
    },

    [maintenance]:
      maintained !== undefined && maintained.length === members?.length
        ? routedMaintenance(maintained, memberFor, (call) => view.repositories(call))
        : undefined,
    [history]: members?.every((member) => historyOf(member) !== undefined)
      ? {
          async *moves(repository, call) {
            const member = await memberFor(repository, call);
            yield* (member && historyOf(member))?.moves(repository, call) ?? [];
          },
        }
      : undefined,
    [verifiesPushes]: members?.every((member) => member[verifiesPushes] === true) === true ? true : undefined,
  };
  return view;
}

/** The repositories of a member that are to be found there. */
async function* routedTo(
  member: Registry,
  find: FindRegistry,
  { limit = Infinity, ...call }: ListOptions,
): AsyncGenerator<string, void, undefined> {
  if (limit === 0) {
    // Who wants nothing still learns whether there is such a list.
    yield* member.repositories({ ...call, limit });
    return;
  }
  let count = 0;
  for await (const name of member.repositories(call)) {
    if (!isRepository(name) || (await find(name)) !== member) continue;
    yield name;
    if (++count === limit) return;
  }
}

function tableOf(table: RouteTable): FindRegistry {
  const members = new Map(Object.entries(table));
  for (const prefix of members.keys()) if (prefix !== '') assertRepository(prefix);
  return (repository) => {
    for (let prefix = repository; ; prefix = prefix.slice(0, Math.max(prefix.lastIndexOf('/'), 0))) {
      const member = members.get(prefix);
      if (member !== undefined || prefix === '') return member;
    }
  };
}

interface MaintainedMember {
  registry: Registry;
  maintained: Maintenance;
}

function routedMaintenance(
  members: readonly MaintainedMember[],
  memberFor: (repository: string, call: CallOptions | undefined) => Promise<Registry | undefined>,
  repositories: Registry['repositories'],
): Maintenance {
  const known = async (repository: string, call?: CallOptions): Promise<Maintenance | undefined> => {
    const member = await memberFor(repository, call);
    return member && maintenanceOf(member);
  };
  const listing = async (repository: string, call: CallOptions | undefined): Promise<Maintenance> => {
    const found = await known(repository, call);
    if (found === undefined) throw nameUnknown(repository);
    return found;
  };
  const own: Maintenance = {
    async *manifests(repository, call) {
      yield* (await listing(repository, call)).manifests(repository, call);
    },
    async *blobs(repository, call) {
      yield* (await listing(repository, call)).blobs(repository, call);
    },
    async *uploads(repository, call) {
      if (repository === undefined) {
        yield* mergedList(
          members.map(({ registry, maintained }) => (each) => {
            // A member may have repositories that are routed elsewhere.
            return uploadsOfShown(maintained, each, async (upload, name) =>
              (await memberFor(name, call)) === registry ? upload : undefined,
            );
          }),
          call ?? {},
          { key: ({ id }) => id },
        );
        return;
      }
      const found = await known(repository, call);
      if (found !== undefined) yield* found.uploads(repository, call);
    },
    async *orphans(call) {
      for (const { maintained } of members) yield* maintained.orphans(call);
    },
    async removeOrphan(digest, options) {
      const removed = await Promise.all(members.map(({ maintained }) => maintained.removeOrphan(digest, options)));
      return removed.includes(true);
    },
    async readManifest(repository, digest, call) {
      return (await listing(repository, call)).readManifest(repository, digest, call);
    },
    async quarantine(repository, digest) {
      return (await known(repository))?.quarantine(repository, digest) ?? false;
    },
    async verify(repository, digest, call) {
      return (await known(repository, call))?.verify(repository, digest, call) ?? 'missing';
    },
    async removeUnused(repository, digest, options) {
      return (await known(repository))?.removeUnused(repository, digest, options) ?? false;
    },
    async lease(repository, digests) {
      return (await listing(repository, undefined)).lease(repository, digests);
    },
    usage: () => usageOf(repositories(), own),
  };
  return own;
}

function nameUnknown(repository: string): RegistryError {
  return new RegistryError('NAME_UNKNOWN', `repository ${repository} is not known`, { detail: { name: repository } });
}
