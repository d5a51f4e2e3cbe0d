// ocikit as a system, with several sets of flags.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Command, System } from './system.ts';

const command = fileURLToPath(new URL('../../../packages/cli/bin/ocikit.js', import.meta.url));

/** Starts ocikit as users do, but with `--quiet`, as the peers log no requests either. */
export function serve(root: string, port: number, flags: readonly string[]): Command {
  const place = flags.includes('--memory') ? [] : ['--root', root];
  const args = [command, 'serve', '--quiet', '--port', `${port}`, ...place, ...flags];
  return { file: process.execPath, args };
}

function ocikit(name: string, properties: Pick<System, 'medium' | 'syncs' | 'readsLike'>, flags: string[]): System {
  return {
    name,
    kind: 'ocikit',
    ...properties,
    command: ({ directory, port }) => Promise.resolve(serve(join(directory, 'root'), port, flags)),
  };
}

export const ocikitSystems: readonly System[] = [
  ocikit('ocikit', { medium: 'disk', syncs: true }, []),
  ocikit('ocikit, no sync', { medium: 'disk', syncs: false, readsLike: 'ocikit' }, ['--durability', 'none']),
  ocikit('ocikit, memory', { medium: 'memory', syncs: false }, ['--memory']),
];
