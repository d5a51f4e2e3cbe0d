import type { System } from './system.ts';

/** `crane registry serve`. It has no switch for its log, which goes to /dev/null like that of all others. */
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

/** Its blobs are on disk, its manifests and tags in memory all the same. */
export const craneSystems: readonly System[] = [
  crane('crane, disk', 'blobs on disk', (directory) => ['--disk', directory]),
  crane('crane, memory', 'memory', () => []),
];
