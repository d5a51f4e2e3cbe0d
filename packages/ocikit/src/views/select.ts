// A view that shows only some repositories. A hidden repository cannot be told from one that does not exist.
import {
  assertRepository,
  history,
  historyOf,
  isRepository,
  maintenance,
  maintenanceOf,
  nameUnknown,
  partialRegistry,
  verifiesPushes,
} from '../model/index.ts';
import type { CallOptions, Digest, MountSource, Registry } from '../model/index.ts';

import {
  deletes,
  failingList,
  forward,
  mapHistory,
  mapMaintenance,
  mapRepository,
  namesWhere,
  pushDenied,
  pushes,
  reads,
  rule,
  shownRepositories,
  sourceWithin,
  uploadsOfShown,
  withoutOrphans,
  Wording,
} from './shared/index.ts';
import type { Destination, RepositoryRule, RepositoryRules, View } from './shared/index.ts';

/** Whether a repository is shown. It is called with well-formed names only. */
export type Allow = (repository: string) => boolean | Promise<boolean>;

/**
 * Shows only the repositories for which `allow` is true. The others do not exist: reading, listing and deleting answer
 * as for a name that does not exist, and a mount from one finds nothing. Pushing to one is DENIED.
 *
 * @example createServer(select(registry, (repository) => repository.startsWith('public/')))
 */
export function select(registry: Registry, allow: Allow): Registry {
  const isShown = async (repository: string, options: CallOptions | undefined): Promise<boolean> => {
    options?.signal?.throwIfAborted();
    assertRepository(repository);
    const shown = await allow(repository);
    options?.signal?.throwIfAborted();
    return shown;
  };
  const hiddenAt = hiddenPlaces(registry);
  const visible: RepositoryRule = async ({ repository, options }) =>
    (await isShown(repository, options)) ? { registry, repository } : hiddenAt(repository);
  const pushable: RepositoryRule = async ({ repository, options }) => {
    if (!(await isShown(repository, options))) throw pushDenied(repository);
    const source = (from: MountSource | undefined): Promise<MountSource> =>
      sourceWithin(from, (name) => isShown(name, options));
    return { registry, repository, source };
  };
  const rules: RepositoryRules = {
    ...rule(visible, ...reads, ...deletes, 'tags', 'referrers', 'history.moves'),
    ...rule(pushable, ...pushes),
    ...rule(visible, 'maintenance.manifests', 'maintenance.blobs', 'maintenance.uploads'),
    ...rule(visible, 'maintenance.readManifest', 'maintenance.verify', 'maintenance.lease'),
    ...rule(visible, 'maintenance.removeUnused', 'maintenance.quarantine'),
  };

  const inner = maintenanceOf(registry);
  const view: View = {
    ...mapRepository(rules),
    repositories: (options = {}) =>
      shownRepositories(registry.repositories.bind(registry), options, (names) =>
        namesWhere(names, (name) => isShown(name, options)),
      ),
    [maintenance]:
      inner &&
      mapMaintenance(rules, {
        repositories: () => view.repositories(),
        uploads: (options) =>
          uploadsOfShown(inner, options, async (upload, name) => ((await isShown(name, options)) ? upload : undefined)),
        ...withoutOrphans,
      }),
    [history]: historyOf(registry) && mapHistory(rules),
    [verifiesPushes]: registry[verifiesPushes],
  };
  return view;
}

/**
 * Sends a call for a hidden repository to a name that does not exist. So the answer is the registry's own answer for an
 * unknown name, with the caller's name put back into the error.
 */
function hiddenPlaces(registry: Registry): (repository: string) => Destination {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  /** Callers cannot guess it, so no repository has this name. */
  const unused = `x${Array.from(bytes, (byte) => byte.toString(16)).join('')}`;
  const refusing = refusingReads(registry);
  return (repository) => {
    const beside = `${repository.slice(0, repository.lastIndexOf('/') + 1)}${unused}`;
    const name = isRepository(beside) ? beside : unused;
    return { registry: refusing, repository: name, error: (error) => new Wording([[name, repository]]).error(error) };
  };
}

/** The registry as hidden repositories see it: a read that succeeds fails nevertheless, and a delete only reads. */
function refusingReads(registry: Registry): Registry {
  const refuse = async (repository: string, call: Promise<unknown>): Promise<never> => {
    await call;
    throw nameUnknown(repository);
  };
  const getBlob = async (name: string, digest: Digest, options?: CallOptions): Promise<never> =>
    refuse(name, (await registry.getBlob(name, digest, options)).cancel());
  const getManifest = (name: string, digest: Digest, options?: CallOptions): Promise<never> =>
    refuse(name, registry.getManifest(name, digest, options));
  const getTag = (name: string, tag: string, options?: CallOptions): Promise<never> =>
    refuse(name, registry.getTag(name, tag, options));
  const methods: Omit<View, (typeof pushes)[number] | 'repositories'> = {
    getBlob,
    getManifest,
    getTag,
    resolveBlob: (name, digest, options) => refuse(name, registry.resolveBlob(name, digest, options)),
    resolveManifest: (name, digest, options) => refuse(name, registry.resolveManifest(name, digest, options)),
    resolveTag: (name, tag, options) => refuse(name, registry.resolveTag(name, tag, options)),
    deleteBlob: getBlob,
    deleteManifest: getManifest,
    deleteTag: getTag,
    tags: (name, options) => failingList(() => refuse(name, firstOf(registry.tags(name, options)))),
    // An unknown name has no referrers, and that is no error.
    ...forward(registry, 'referrers'),
    [maintenance]: maintenanceOf(registry),
    [history]: historyOf(registry),
    [verifiesPushes]: registry[verifiesPushes],
  };
  return partialRegistry(methods);
}

async function firstOf<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item;
  return undefined;
}
