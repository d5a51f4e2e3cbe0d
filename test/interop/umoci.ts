import { useClient } from './client.ts';
import type { Client } from './client.ts';

/** umoci, which knows no registries: only image layouts. */
export function useUmoci(): Client {
  return useClient('umoci', 'umoci', () => ({}));
}
