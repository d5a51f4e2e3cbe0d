// containerd with its command ctr.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { afterAll } from 'vitest';

import { useClient } from './client.ts';
import type { Client } from './client.ts';
import { locate } from './clients.ts';
import { run } from './run.ts';

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
    const address = join(directory, 'containerd.sock');
    stop = await startContainerd(directory, address);
    return { args: ['--address', address] };
  });
  afterAll(async () => {
    await stop?.();
  });
  return Object.defineProperty(client, 'hosts', { get: () => hosts }) as Containerd;
}

async function startContainerd(directory: string, address: string): Promise<() => Promise<void>> {
  const configuration = join(directory, 'config.toml');
  await writeFile(
    configuration,
    [
      'version = 2',
      `root = ${JSON.stringify(join(directory, 'root'))}`,
      `state = ${JSON.stringify(join(directory, 'state'))}`,
      'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
      '[grpc]',
      `address = ${JSON.stringify(address)}`,
    ].join('\n'),
  );
  const logFile = join(directory, 'containerd.log');
  const log = await open(logFile, 'w');
  const child = spawn((await locate('containerd')) ?? 'containerd', ['--config', configuration], {
    stdio: ['ignore', log.fd, log.fd],
  });
  const exited = once(child, 'exit');
  await log.close();
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const end = await Promise.race([exited, delay(15_000, undefined, { ref: false })]);
    if (end === undefined) child.kill('SIGKILL');
    await exited;
  };
  for (let attempt = 0; attempt < 200 && child.exitCode === null; attempt += 1) {
    if (await answers(address)) return stop;
    await delay(100);
  }
  await stop();
  throw new Error(`containerd did not answer within 20 s\n${(await readFile(logFile, 'utf8')).slice(-8192)}`);
}

async function answers(address: string): Promise<boolean> {
  try {
    await run((await locate('ctr')) ?? 'ctr', ['--address', address, 'version'], { timeout: 10_000 });
    return true;
  } catch {
    return false;
  }
}
