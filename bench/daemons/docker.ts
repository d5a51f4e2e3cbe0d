// Docker's daemon.
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { startDaemon } from './daemon.ts';
import type { Callable, Daemon } from './daemon.ts';

/** The programs of Docker, and how its daemon stores images. */
export interface DockerStart {
  readonly docker: Callable;
  readonly dockerd: Callable;
  /** A new directory for everything that the daemon keeps. */
  readonly directory: string;
  readonly storageDriver: 'vfs' | 'overlay2';
  /** Further flags of the daemon. */
  readonly flags: readonly string[];
}

/** Starts Docker's daemon, which runs no containers and uses no network. */
export async function startDocker(start: DockerStart): Promise<Daemon> {
  const { docker, dockerd, directory, storageDriver, flags } = start;
  const address = `unix://${join(directory, 'docker.sock')}`;
  const executionRoot = join(directory, 'exec');
  await mkdir(executionRoot);
  return startDaemon({
    name: 'dockerd',
    program: dockerd,
    args: [
      ['--host', address],
      ['--data-root', join(directory, 'data')],
      ['--exec-root', executionRoot],
      ['--pidfile', join(directory, 'dockerd.pid')],
      ['--storage-driver', storageDriver],
      ['--bridge', 'none'],
      ['--iptables=false', '--ip6tables=false'],
      // Docker allows HTTP on the loopback interface without configuration.
      flags,
    ].flat(),
    address,
    logFile: join(directory, 'dockerd.log'),
    answers: { file: docker.file, args: [...docker.args, '--host', address, 'version'] },
    patience: 30,
    afterKill: async () => {
      // The daemon cannot stop its containerd any more.
      process.kill(Number(await readFile(join(executionRoot, 'containerd', 'containerd.pid'), 'utf8')), 'SIGKILL');
    },
  });
}
