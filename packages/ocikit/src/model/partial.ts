import { RegistryError } from './errors.ts';
import { history } from './history.ts';
import { maintenance } from './maintenance.ts';
import { verifiesPushes } from './registry.ts';
import type { Registry } from './registry.ts';

/** Any of a registry's methods. */
export type RegistryMethods = Partial<Registry>;

export interface PartialRegistryOptions {
  /** What a missing method fails with, instead of UNSUPPORTED. */
  missing?: ((method: keyof Registry & string, repository: string | undefined) => unknown) | undefined;
}

/**
 * A whole registry from some methods: the others answer UNSUPPORTED. A method that is added to {@link Registry} later
 * does not break it.
 *
 * @example
 * const registry = partialRegistry({
 *   async resolveBlob(repository, digest) {
 *     return { mediaType: 'application/octet-stream', digest, size: await sizeOf(digest) };
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
