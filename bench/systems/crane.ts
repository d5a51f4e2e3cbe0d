// crane's registry as a system.
import type { System } from './system.ts';

/** `crane registry serve`. Its log cannot be switched off; it goes to /dev/null, as that of all systems. */
function crane(name: string, medium: System['medium'], flags: (directory: string) => string[]): System {
  return {
    name,
    kind: 'peer',
    medium,
    syncs: false,
    program: {
      name: 'crane',
      from: { go: 'github.com/google/go-containerregistry/cmd/crane@latest' },
      version: ['version'],
    },
    command: ({ program, directory, port }) => {
      const args = ['registry', 'serve', '--address', `127.0.0.1:${port}`, ...flags(directory)];
      return Promise.resolve({ file: program, args });
    },
  };
}

/** With blobs on disk. Its manifests and tags are in memory in any case. */
export const craneSystems: readonly System[] = [
  crane('crane, disk', 'blobs on disk', (directory) => ['--disk', directory]),
  crane('crane, memory', 'memory', () => []),
];
