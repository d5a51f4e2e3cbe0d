// The optional parts of a registry that upkeep needs, or an error that says which one is missing.
import { historyOf, maintenanceOf, RegistryError } from '../../model/index.ts';
import type { History, Maintenance, Registry } from '../../model/index.ts';

/**
 * Gives the registry's `Maintenance`.
 *
 * @throws RegistryError UNSUPPORTED if it has none
 */
export function requireMaintenance(registry: Registry): Maintenance {
  const found = maintenanceOf(registry);
  if (found !== undefined) return found;
  throw new RegistryError(
    'UNSUPPORTED',
    'this registry offers no maintenance: run upkeep on the registry that stores its content',
  );
}

/**
 * Gives the registry's history of tag moves.
 *
 * @throws RegistryError UNSUPPORTED if it has none
 */
export function requireHistory(registry: Registry): History {
  const found = historyOf(registry);
  if (found !== undefined) return found;
  throw new RegistryError(
    'UNSUPPORTED',
    'this registry has no history of its tags: ask the registry that stores its content',
  );
}
