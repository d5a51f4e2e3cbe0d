import { maintenanceOf, RegistryError } from '../model/index.ts';
import type { Maintenance, Registry } from '../model/index.ts';

/** @throws RegistryError UNSUPPORTED if the registry cannot be maintained */
export function maintained(registry: Registry): Maintenance {
  const found = maintenanceOf(registry);
  if (found !== undefined) return found;
  throw new RegistryError(
    'UNSUPPORTED',
    'this registry offers no maintenance: look after the one that keeps its content',
  );
}
