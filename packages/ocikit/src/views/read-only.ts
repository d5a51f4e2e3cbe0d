// A view without pushes and deletes.
import { history, historyOf, maintenance, maintenanceOf, partialRegistry, RegistryError } from '../model/index.ts';
import type { Maintenance, Registry } from '../model/index.ts';

import { forward, forwardMaintenance, lists, reads } from './shared/index.ts';

/**
 * The registry without pushes and deletes: they are UNSUPPORTED. Reading and listing are unchanged. Its maintenance
 * only lists and verifies.
 *
 * @example createServer(readOnly(registry))
 */
export function readOnly(registry: Registry): Registry {
  const inner = maintenanceOf(registry);
  const methods = {
    ...forward(registry, ...reads, ...lists),
    [maintenance]: inner && readOnlyMaintenance(inner),
    [history]: historyOf(registry),
  };
  // Methods that are added to Registry later are refused as well.
  return partialRegistry(methods, { missing: refusal });
}

function readOnlyMaintenance(inner: Maintenance): Maintenance {
  return {
    ...forwardMaintenance(inner, 'manifests', 'blobs', 'uploads', 'orphans', 'problems'),
    ...forwardMaintenance(inner, 'readManifest', 'verify', 'usage'),
    removeUnused: () => Promise.reject(refusal()),
    removeOrphan: () => Promise.reject(refusal()),
    quarantine: () => Promise.reject(refusal()),
    lease: () => Promise.reject(refusal()),
  };
}

function refusal(): RegistryError {
  return new RegistryError('UNSUPPORTED', 'this registry is read-only');
}
