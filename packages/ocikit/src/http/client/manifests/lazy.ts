// The conditions of tags, loaded for the first call that has one.
import { loadPart } from '../shared/index.ts';

import type * as conditions from './tag-conditions.ts';

/** Loads what judges the condition `ifTag`. */
export function loadTagConditions(signal: AbortSignal | undefined): Promise<typeof conditions> {
  return loadPart(import('./tag-conditions.ts'), signal);
}
