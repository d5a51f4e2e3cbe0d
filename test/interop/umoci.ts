// umoci as a client.
import { useClient } from './client.ts';
import type { Client } from './client.ts';

/** umoci, which reads and writes image layouts only. */
export function useUmoci(): Client {
  return useClient('umoci', 'umoci', () => ({}));
}
