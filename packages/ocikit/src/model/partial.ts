// A whole registry made of some of its methods.
import { RegistryError } from './errors.ts';
import { history } from './history.ts';
import { maintenance } from './maintenance.ts';
import { verifiesPushes } from './registry.ts';
import type { Registry } from './registry.ts';

/** Some of a registry's methods. */
export type RegistryMethods = Partial<Registry>;

/** Options of {@link partialRegistry}. */
export interface PartialRegistryOptions {
  /** Returns the error of a missing method. Default, and if it returns undefined: UNSUPPORTED. */
  missing?: ((method: keyof Registry & string, repository: string | undefined) => unknown) | undefined;
}

/**
 * Makes a whole registry of some methods. The others reject with UNSUPPORTED. Code that uses this function keeps
 * working when a later version adds methods to {@link Registry}.
 *
 * @example
 * const registry = partialRegistry({
 *   async resolveBlob(repository, digest) {
 *     return blobDescriptor(digest, await sizeOf(digest));
 *   },
 * });
 */
export function partialRegistry(methods: RegistryMethods, options: PartialRegistryOptions = {}): Registry {
  const failure = (method: keyof Registry & string, repository: string | undefined): unknown =>
    options.missing?.(method, repository) ??
    new RegistryError('UNSUPPORTED', `this registry does not support ${method}`, { detail: { method } });
  const rejects =
    (method: keyof Registry & string, repositoryAt = 0) =>
    (...args: unknown[]): Promise<never> => {
      const repository = args[repositoryAt];
      return Promise.reject(failure(method, typeof repository === 'string' ? repository : undefined));
    };
  const fails =
    (method: keyof Registry & string) =>
    (repository?: unknown): AsyncIterable<never> => ({
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.reject(failure(method, typeof repository === 'string' ? repository : undefined)),
      }),
    });

  return {
    getBlob: methods.getBlob?.bind(methods) ?? rejects('getBlob'),
    getManifest: methods.getManifest?.bind(methods) ?? rejects('getManifest'),
    getTag: methods.getTag?.bind(methods) ?? rejects('getTag'),
    resolveBlob: methods.resolveBlob?.bind(methods) ?? rejects('resolveBlob'),
    resolveManifest: methods.resolveManifest?.bind(methods) ?? rejects('resolveManifest'),
    resolveTag: methods.resolveTag?.bind(methods) ?? rejects('resolveTag'),
    pushBlob: methods.pushBlob?.bind(methods) ?? rejects('pushBlob'),
    startUpload: methods.startUpload?.bind(methods) ?? rejects('startUpload'),
    resumeUpload: methods.resumeUpload?.bind(methods) ?? rejects('resumeUpload'),
    mountBlob: methods.mountBlob?.bind(methods) ?? rejects('mountBlob', 1),
    pushManifest: methods.pushManifest?.bind(methods) ?? rejects('pushManifest'),
    deleteBlob: methods.deleteBlob?.bind(methods) ?? rejects('deleteBlob'),
    deleteManifest: methods.deleteManifest?.bind(methods) ?? rejects('deleteManifest'),
    deleteTag: methods.deleteTag?.bind(methods) ?? rejects('deleteTag'),
    repositories: methods.repositories?.bind(methods) ?? fails('repositories'),
    tags: methods.tags?.bind(methods) ?? fails('tags'),
    referrers: methods.referrers?.bind(methods) ?? fails('referrers'),
    [maintenance]: methods[maintenance],
    [history]: methods[history],
    [verifiesPushes]: methods[verifiesPushes],
  };
}
