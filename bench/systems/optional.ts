// Registries that are measured only if they are installed.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { System } from './system.ts';

/** Registries that are measured if they are in PATH or in the benchmark's cache. They are not installed. */
export const optionalSystems: readonly System[] = [
  {
    name: 'olareg',
    kind: 'peer',
    medium: 'disk',
    syncs: false,
    tls: true,
    program: { name: 'olareg', version: ['version'] },
    command: ({ program, directory, port, certificate }) => {
      const args = ['serve', '--addr', '127.0.0.1', '--port', `${port}`, '--dir', directory, '--verbosity', 'error'];
      if (certificate !== undefined) args.push('--tls-cert', certificate.cert, '--tls-key', certificate.key);
      return Promise.resolve({ file: program, args });
    },
  },
  {
    name: 'zot',
    kind: 'peer',
    medium: 'disk',
    // Its `storage.commit` is off by default.
    syncs: false,
    program: { name: 'zot', version: ['--version'] },
    tls: true,
    async command({ program, directory, port, certificate }) {
      const file = join(directory, 'config.json');
      const configuration = {
        distSpecVersion: '1.1.1',
        storage: { rootDirectory: join(directory, 'root') },
        http: { address: '127.0.0.1', port: `${port}`, ...(certificate && { tls: certificate }) },
        log: { level: 'error' },
      };
      await writeFile(file, JSON.stringify(configuration));
      return { file: program, args: ['serve', file] };
    },
  },
];
