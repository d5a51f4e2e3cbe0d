// ocikit as a system, with several sets of flags.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Certificate, Command, System } from './system.ts';

const command = fileURLToPath(new URL('../../../packages/cli/bin/ocikit.js', import.meta.url));
const secureServer = fileURLToPath(new URL('../clients/serve-securely.js', import.meta.url));

/** Starts ocikit as users do, but with `--quiet`, as the peers log no requests either. */
export function serve(root: string, port: number, flags: readonly string[]): Command {
  const place = flags.includes('--memory') ? [] : ['--root', root];
  const args = [command, 'serve', '--quiet', '--port', `${port}`, ...place, ...flags];
  return { file: process.execPath, args };
}

/** Serves HTTPS with the library, as the command has no flag for it. */
export function serveSecurely(root: string, port: number, { cert, key }: Certificate, syncs: boolean): Command {
  return { file: process.execPath, args: [secureServer, root, `${port}`, cert, key, syncs ? 'fsync' : 'none'] };
}

function ocikit(name: string, properties: Pick<System, 'medium' | 'syncs' | 'readsLike'>, flags: string[]): System {
  return {
    name,
    kind: 'ocikit',
    ...properties,
    tls: properties.medium === 'disk',
    command: ({ directory, port, certificate, flags: further }) => {
      const root = join(directory, 'root');
      if (certificate === undefined) return Promise.resolve(serve(root, port, [...flags, ...further]));
      return Promise.resolve(serveSecurely(root, port, certificate, properties.syncs));
    },
  };
}

export const ocikitSystems: readonly System[] = [
  ocikit('ocikit', { medium: 'disk', syncs: true }, []),
  ocikit('ocikit, no sync', { medium: 'disk', syncs: false, readsLike: 'ocikit' }, ['--durability', 'none']),
  ocikit('ocikit, memory', { medium: 'memory', syncs: false }, ['--memory']),
];
