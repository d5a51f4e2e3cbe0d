import { partialRegistry, RegistryError } from '../model/index.ts';
import type { Registry } from '../model/index.ts';

/**
 * The registry without its pushes and deletes, which answer UNSUPPORTED. Reading and listing stay as they are.
 *
 * @example createServer(readOnly(registry))
 */
export function readOnly(registry: Registry): Registry {
  const missing = (): RegistryError => new RegistryError('UNSUPPORTED', 'this registry is read-only');
  const methods = {
    getBlob: registry.getBlob.bind(registry),
    getManifest: registry.getManifest.bind(registry),
    getTag: registry.getTag.bind(registry),
    resolveBlob: registry.resolveBlob.bind(registry),
    resolveManifest: registry.resolveManifest.bind(registry),
    resolveTag: registry.resolveTag.bind(registry),
    repositories: registry.repositories.bind(registry),
    tags: registry.tags.bind(registry),
    referrers: registry.referrers.bind(registry),
  };
  return partialRegistry(methods, { missing });
}
