// A view that shows several registries as one: each has some of the repositories.
import {
  assertRepository,
  history,
  historyOf,
  maintenance,
  maintenanceOf,
  nameUnknown,
  partialRegistry,
  RegistryError,
  verifiesPushes,
} from '../model/index.ts';
import type { CallOptions, ListOptions, Maintenance, MountSource, Registry } from '../model/index.ts';

import {
  deletes,
  failingList,
  mapHistory,
  mapMaintenance,
  mapRepository,
  mergedList,
  namesWhere,
  pushDenied,
  pushes,
  reads,
  rule,
  shownRepositories,
  sourceWithin,
  uploadsOfShown,
} from './shared/index.ts';
import type { RepositoryRule, RepositoryRules, View } from './shared/index.ts';

/** The registry that has a repository; undefined: none has it. It is called with well-formed names only. */
export type FindRegistry = (repository: string) => Registry | undefined | Promise<Registry | undefined>;

/**
 * Registries by the beginning of names, in whole components: `team` is for `team` and `team/app`, not for `teams`. The
 * longest key that fits counts. The empty key is for all names that no other key fits.
 */
export type RouteTable = Readonly<Record<string, Registry>>;

/** How {@link route} lists. */
export interface RouteOptions {
  /**
   * All registries that the function may return, so that repositories can be listed. Default: none, and listing is
   * UNSUPPORTED. A table has its own members.
   */
  members?: readonly Registry[] | undefined;
}

/**
 * Several registries as one. Each has some of the repositories, under the names that they have there.
 *
 * A repository that no registry has is NAME_UNKNOWN to a read and DENIED to a push. Mounting across registries begins
 * an upload. The list of repositories merges the lists of the members, reduced to the repositories that are routed to
 * each. It fails if a member's list fails.
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

  const memberFor = async (repository: string, call: CallOptions | undefined): Promise<Registry | undefined> => {
    call?.signal?.throwIfAborted();
    assertRepository(repository);
    return findMember(repository);
  };
  /** To the member, if it can do what is asked for; otherwise to a registry that knows nothing. */
  const known =
    (can: (member: Registry) => boolean): RepositoryRule =>
    async ({ repository, options: call }) => {
      const member = await memberFor(repository, call);
      return { registry: member !== undefined && can(member) ? member : unknown, repository };
    };
  const writable: RepositoryRule = async ({ repository, options: call }) => {
    const member = await memberFor(repository, call);
    if (member === undefined) throw pushDenied(repository);
    // A member may have repositories that are routed elsewhere: blobs are not mounted from those.
    const source = (from: MountSource | undefined): Promise<MountSource> =>
      sourceWithin(from, async (name) => (await memberFor(name, call)) === member);
    return { registry: member, repository, source };
  };
  const maintained = known((member) => maintenanceOf(member) !== undefined);
  const rules: RepositoryRules = {
    ...rule(
      known(() => true),
      ...reads,
      ...deletes,
      'tags',
      'referrers',
    ),
    ...rule(writable, ...pushes),
    ...rule(maintained, 'maintenance.manifests', 'maintenance.blobs', 'maintenance.uploads'),
    ...rule(maintained, 'maintenance.readManifest', 'maintenance.verify', 'maintenance.lease'),
    ...rule(maintained, 'maintenance.removeUnused', 'maintenance.quarantine'),
    ...rule(
      known((member) => historyOf(member) !== undefined),
      'history.moves',
    ),
  };

  const view: View = {
    ...mapRepository(rules),
    async *repositories(call = {}) {
      if (members === undefined) {
        throw new RegistryError('UNSUPPORTED', 'this registry cannot list its repositories: `members` is missing', {
          detail: { method: 'repositories' },
        });
      }
      yield* mergedList(
        members.map((member) => (each: ListOptions) => {
          const isIts = async (name: string): Promise<boolean> => (await findMember(name)) === member;
          return shownRepositories(member.repositories.bind(member), each, (names) => namesWhere(names, isIts));
        }),
        call,
      );
    },
    [maintenance]: routedMaintenance(members, rules, memberFor, () => view.repositories()),
    [history]: members?.every((member) => historyOf(member) !== undefined) ? mapHistory(rules) : undefined,
    [verifiesPushes]: members?.every((member) => member[verifiesPushes] === true) === true ? true : undefined,
  };
  return view;
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

/** Undefined if a member has no maintenance. */
function routedMaintenance(
  members: readonly Registry[] | undefined,
  rules: RepositoryRules,
  memberFor: (repository: string, call: CallOptions | undefined) => Promise<Registry | undefined>,
  repositories: () => AsyncIterable<string>,
): Maintenance | undefined {
  if (members === undefined) return undefined;
  const maintained = members.flatMap((registry) => {
    const inner = maintenanceOf(registry);
    return inner === undefined ? [] : [{ registry, inner }];
  });
  if (maintained.length < members.length) return undefined;
  return mapMaintenance(rules, {
    repositories,
    uploads: (call) =>
      mergedList(
        maintained.map(({ registry, inner }) => (each) => {
          // A member may have repositories that are routed elsewhere.
          return uploadsOfShown(inner, each, async (upload, name) =>
            (await memberFor(name, call)) === registry ? upload : undefined,
          );
        }),
        call ?? {},
        { key: ({ id }) => id },
      ),
    async *orphans(call) {
      for (const { inner } of maintained) yield* inner.orphans(call);
    },
    async removeOrphan(digest, removal) {
      const removed = await Promise.all(maintained.map(({ inner }) => inner.removeOrphan(digest, removal)));
      return removed.includes(true);
    },
  });
}

async function* nothing(): AsyncGenerator<never, void, undefined> {
  // The list is empty.
}

function failed(repository: string): AsyncIterable<never> {
  return failingList(async () => Promise.reject(nameUnknown(repository)));
}

/** A registry that knows no repository. A list of referrers, uploads or moves is empty then, and no error. */
const unknown: Registry = partialRegistry(
  {
    referrers: nothing,
    [maintenance]: {
      manifests: failed,
      blobs: failed,
      uploads: nothing,
      orphans: nothing,
      readManifest: async (repository) => Promise.reject(nameUnknown(repository)),
      verify: async () => 'missing',
      removeUnused: async () => false,
      removeOrphan: async () => false,
      quarantine: async () => false,
      lease: async (repository) => Promise.reject(nameUnknown(repository)),
      usage: async () => ({ repositories: 0, manifests: 0, blobs: 0, uploads: 0, size: 0 }),
    },
    [history]: { moves: nothing },
  },
  { missing: (_method, repository = '') => nameUnknown(repository) },
);
