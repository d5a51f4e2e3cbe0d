// containerd with its command ctr.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll } from 'vitest';

import { startContainerd } from '../../bench/daemons/containerd.ts';
import { useClient } from './client.ts';
import type { Client } from './client.ts';
import { locate } from './clients.ts';

export interface Containerd extends Client {
  /** The directory for `--hosts-dir`: in it, one directory for each registry, with a `hosts.toml`. */
  readonly hosts: string;
}

/** containerd with `ctr` and its own daemon, which runs no containers. */
export function useContainerd(): Containerd {
  let stop: (() => Promise<void>) | undefined;
  let hosts = '';
  const client = useClient('containerd', 'ctr', async (directory) => {
    hosts = join(directory, 'hosts');
    await mkdir(hosts);
    const containerd = { file: (await locate('containerd')) ?? 'containerd', args: [] };
    const ctr = { file: (await locate('ctr')) ?? 'ctr', args: [] };
    const daemon = await startContainerd({ containerd, ctr, directory });
    stop = () => daemon.stop();
    return { args: ['--address', daemon.address] };
  });
  afterAll(async () => {
    await stop?.();
  });
  return Object.defineProperty(client, 'hosts', { get: () => hosts }) as Containerd;
}
