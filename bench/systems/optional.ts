// Registries that are measured only if they are installed.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { System } from './system.ts';

/** Registries that are measured if they are in PATH. The benchmark does not install them. */
export const optionalSystems: readonly System[] = [
  {
    name: 'olareg',
    kind: 'peer',
    medium: 'disk',
    syncs: false,
    program: { name: 'olareg', version: ['version'] },
    command: ({ program, directory, port }) => {
      const args = ['serve', '--addr', '127.0.0.1', '--port', `${port}`, '--dir', directory, '--verbosity', 'error'];
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
    async command({ program, directory, port }) {
      const file = join(directory, 'config.json');
      const configuration = {
        distSpecVersion: '1.1.1',
        storage: { rootDirectory: join(directory, 'root') },
        http: { address: '127.0.0.1', port: `${port}` },
        log: { level: 'error' },
      };
      await writeFile(file, JSON.stringify(configuration));
      return { file: program, args: ['serve', file] };
    },
  },
];
