// containerd's daemon.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { startDaemon } from './daemon.ts';
import type { Callable, Daemon } from './daemon.ts';

/** The programs of containerd. */
export interface ContainerdStart {
  readonly containerd: Callable;
  readonly ctr: Callable;
  /** A new directory for everything that the daemon keeps. */
  readonly directory: string;
}

/** Starts containerd's daemon, which runs no containers. */
export async function startContainerd({ containerd, ctr, directory }: ContainerdStart): Promise<Daemon> {
  const address = join(directory, 'containerd.sock');
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
  return startDaemon({
    name: 'containerd',
    program: containerd,
    args: ['--config', configuration],
    address,
    logFile: join(directory, 'containerd.log'),
    answers: { file: ctr.file, args: [...ctr.args, '--address', address, 'version'] },
    patience: 20,
  });
}
