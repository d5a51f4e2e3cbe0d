// The oras library for Python as a client.
import { join } from 'node:path';

import { useClient } from './client.ts';
import type { Client } from './client.ts';
import { clients } from './clients.ts';

/** The oras library for Python, called by `drive_oras.py`. */
export function useOras(): Client {
  return useClient('oras', clients.oras.programs[0], (directory) => ({
    args: [join(import.meta.dirname, 'drive_oras.py')],
    env: { DOCKER_CONFIG: join(directory, 'config') },
  }));
}
