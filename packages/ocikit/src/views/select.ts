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
import { uploadsOfShown, usageOf, withoutOrphans, Wording } from './shared/index.ts';

/** Whether a repository is shown. It is asked about names that are well-formed. */
export type Allow = (repository: string) => boolean | Promise<boolean>;

/**
 * Only the repositories that `allow` names. The others do not exist: reading, listing and deleting answer as for a name that
 * nobody has, mounting from one finds nothing. Pushing to one is DENIED.
 *
 * @example createServer(select(registry, (repository) => repository.startsWith('public/')))
 */
export function select(registry: Registry, allow: Allow): Registry {
  const hidden = new Hidden();
  const inner = maintenanceOf(registry);
  const innerHistory = historyOf(registry);

  const isShown = async (repository: string, options: CallOptions | undefined): Promise<boolean> => {
    options?.signal?.throwIfAborted();
    assertRepository(repository);
    const shown = await allow(repository);
    options?.signal?.throwIfAborted();
    return shown;
  };
  /** @throws RegistryError DENIED */
  const assertPushable = async (repository: string, options: CallOptions | undefined): Promise<void> => {
    if (await isShown(repository, options)) return;
    throw new RegistryError('DENIED', `nothing may be pushed to ${repository}`, { detail: { name: repository } });
  };
  const read = async <T>(
    repository: string,
    options: CallOptions | undefined,
    call: (name: string) => Promise<T>,
  ): Promise<T> => ((await isShown(repository, options)) ? call(repository) : hidden.answer(repository, call));
  async function* list<T>(
    repository: string,
    options: CallOptions | undefined,
    call: (name: string) => AsyncIterable<T>,
  ): AsyncGenerator<T, void, undefined> {
    if (await isShown(repository, options)) yield* call(repository);
    else await hidden.answer(repository, (name) => firstOf(call(name)));
  }

  const view: View = {
    async getBlob(repository, digest, options) {
      if (await isShown(repository, options)) return registry.getBlob(repository, digest, options);
      return hidden.answer(repository, async (name) => (await registry.getBlob(name, digest, options)).cancel());
    },
    getManifest: (repository, digest, options) =>
      read(repository, options, (name) => registry.getManifest(name, digest, options)),
    getTag: (repository, tag, options) => read(repository, options, (name) => registry.getTag(name, tag, options)),
    resolveBlob: (repository, digest, options) =>
      read(repository, options, (name) => registry.resolveBlob(name, digest, options)),
    resolveManifest: (repository, digest, options) =>
      read(repository, options, (name) => registry.resolveManifest(name, digest, options)),
    resolveTag: (repository, tag, options) =>
      read(repository, options, (name) => registry.resolveTag(name, tag, options)),

    async pushBlob(repository, blob, source, options) {
      await assertPushable(repository, options);
      return registry.pushBlob(repository, blob, source, options);
    },
    async startUpload(repository, options) {
      await assertPushable(repository, options);
      return registry.startUpload(repository, options);
    },
    async resumeUpload(repository, id, options) {
      await assertPushable(repository, options);
      return registry.resumeUpload(repository, id, options);
    },
    async mountBlob(from, repository, digest, options) {
      await assertPushable(repository, options);
      const source: MountSource =
        typeof from !== 'string'
          ? async (name) => (await allow(name)) && (from === undefined || from(name))
          : (await isShown(from, options))
            ? from
            : () => false;
      return registry.mountBlob(source, repository, digest, options);
    },
    async pushManifest(repository, bytes, mediaType, options) {
      await assertPushable(repository, options);
      return registry.pushManifest(repository, bytes, mediaType, options);
    },

    // What is hidden is not even tried to be deleted.
    async deleteBlob(repository, digest, options) {
      if (await isShown(repository, options)) return registry.deleteBlob(repository, digest, options);
      await hidden.answer(repository, async (name) => (await registry.getBlob(name, digest, options)).cancel());
    },
    async deleteManifest(repository, digest, options) {
      if (await isShown(repository, options)) return registry.deleteManifest(repository, digest, options);
      await hidden.answer(repository, (name) => registry.getManifest(name, digest, options));
    },
    async deleteTag(repository, tag, options) {
      if (await isShown(repository, options)) return registry.deleteTag(repository, tag, options);
      await hidden.answer(repository, (name) => registry.getTag(name, tag, options));
    },

    async *repositories(options = {}) {
      const { limit, ...rest } = options;
      if (limit === 0) {
        // Who wants nothing still learns whether there is such a list.
        yield* registry.repositories(options);
        return;
      }
      let count = 0;
      for await (const name of registry.repositories(rest)) {
        if (!isRepository(name) || !(await isShown(name, options))) continue;
        yield name;
        if (++count === limit) return;
      }
    },
    tags: (repository, options) => list(repository, options, (name) => registry.tags(name, options)),
    async *referrers(repository, digest, options) {
      // Of what is not known there are none, and that is no error.
      if (await isShown(repository, options)) yield* registry.referrers(repository, digest, options);
      else yield* registry.referrers(hidden.nameFor(repository), digest, options);
    },

    [maintenance]:
      inner &&
      selectMaintenance(
        inner,
        async (repository, options) => {
          return (await isShown(repository, options)) ? repository : hidden.nameFor(repository);
        },
        (options) => view.repositories(options),
        isShown,
      ),
    [history]: innerHistory && {
      async *moves(repository, options) {
        // Of what is not known there are none, and that is no error.
        const name = (await isShown(repository, options)) ? repository : hidden.nameFor(repository);
        yield* innerHistory.moves(name, options);
      },
    },
    [verifiesPushes]: registry[verifiesPushes],
  };
  return view;
}

/** @param nameOf a name that nobody has for one that is hidden, of which the registry then knows nothing */
function selectMaintenance(
  inner: Maintenance,
  nameOf: (repository: string, options?: CallOptions) => Promise<string>,
  repositories: Registry['repositories'],
  isShown: (repository: string, options: CallOptions | undefined) => Promise<boolean>,
): Maintenance {
  const told = async <T>(
    repository: string,
    options: CallOptions | undefined,
    call: (name: string) => Promise<T>,
  ): Promise<T> => {
    const name = await nameOf(repository, options);
    try {
      return await call(name);
    } catch (error) {
      throw new Wording([[name, repository]]).error(error);
    }
  };
  async function* list<T>(
    repository: string,
    options: ListOptions | undefined,
    call: (name: string) => AsyncIterable<T>,
  ): AsyncGenerator<T, void, undefined> {
    const name = await nameOf(repository, options);
    try {
      yield* call(name);
    } catch (error) {
      throw new Wording([[name, repository]]).error(error);
    }
  }
  const own: Maintenance = {
    manifests: (repository, options) => list(repository, options, (name) => inner.manifests(name, options)),
    blobs: (repository, options) => list(repository, options, (name) => inner.blobs(name, options)),
    uploads: (repository, options) =>
      repository === undefined
        ? uploadsOfShown(inner, options, async (upload, name) => ((await isShown(name, options)) ? upload : undefined))
        : list(repository, options, (name) => inner.uploads(name, options)),
    ...withoutOrphans,
    readManifest: (repository, digest, options) =>
      told(repository, options, (name) => inner.readManifest(name, digest, options)),
    quarantine: (repository, digest) => told(repository, undefined, (name) => inner.quarantine(name, digest)),
    verify: (repository, digest, options) => told(repository, options, (name) => inner.verify(name, digest, options)),
    removeUnused: (repository, digest, options) =>
      told(repository, undefined, (name) => inner.removeUnused(name, digest, options)),
    lease: (repository, digests) => told(repository, undefined, (name) => inner.lease(name, digests)),
    usage: () => usageOf(repositories(), own),
  };
  return own;
}

/** The repositories that are not shown. */
class Hidden {
  readonly #nobody: string = `x${Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16)).join('')}`;

  /** A name that nobody has, as it cannot be guessed, beside the hidden one. */
  nameFor(repository: string): string {
    const name = `${repository.slice(0, repository.lastIndexOf('/') + 1)}${this.#nobody}`;
    return isRepository(name) ? name : this.#nobody;
  }

  /**
   * Fails as the call does for a name that nobody has, whatever the registry makes of that: so what is hidden cannot be told
   * from what does not exist.
   */
  async answer(repository: string, call: (name: string) => Promise<unknown>): Promise<never> {
    const name = this.nameFor(repository);
    try {
      await call(name);
    } catch (error) {
      throw new Wording([[name, repository]]).error(error);
    }
    throw new RegistryError('NAME_UNKNOWN', `repository ${repository} is not known`, { detail: { name: repository } });
  }
}

async function firstOf<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item;
  return undefined;
}
