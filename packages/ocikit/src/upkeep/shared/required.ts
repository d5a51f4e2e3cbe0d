import { historyOf, maintenanceOf, RegistryError } from '../../model/index.ts';
import type { History, Maintenance, Registry } from '../../model/index.ts';

/** @throws RegistryError UNSUPPORTED if the registry cannot be maintained */
export function maintained(registry: Registry): Maintenance {
  const found = maintenanceOf(registry);
  if (found !== undefined) return found;
  throw new RegistryError(
    'UNSUPPORTED',
    'this registry offers no maintenance: look after the one that keeps its content',
  );
}

/** @throws RegistryError UNSUPPORTED if the registry does not know how its tags moved */
export function remembered(registry: Registry): History {
  const found = historyOf(registry);
  if (found !== undefined) return found;
  throw new RegistryError(
    'UNSUPPORTED',
    'this registry has no history of its tags: ask the one that keeps its content',
  );
}
