// File systems of a limited size, for tests.
import { execFileSync } from 'node:child_process';

import { afterEach } from 'vitest';

export interface Mounts {
  /** Mounts a new file system of this many bytes. */
  tmpfs(dir: string, size: number): void;
  resize(dir: string, size: number): void;
  /** Makes the file system read-only, even for root. */
  readOnly(dir: string): void;
}

/** Mounts that are removed after their test. */
export function useMounts(): Mounts {
  const mounted: string[] = [];
  // Unmount lazily: hooks run in reverse order, so the servers, which were set up before, still run.
  afterEach(() => {
    for (const dir of mounted.splice(0).toReversed()) run('umount', '--lazy', dir);
  });
  return {
    tmpfs(dir, size) {
      run('mount', '-t', 'tmpfs', '-o', `size=${size}`, 'ocikit-faults', dir);
      mounted.push(dir);
    },
    resize: (dir, size) => run('mount', '-o', `remount,size=${size}`, dir),
    readOnly(dir) {
      run('mount', '--bind', dir, dir);
      mounted.push(dir);
      run('mount', '-o', 'remount,bind,ro', dir);
    },
  };
}

/** Returns the reason why this machine cannot mount; undefined if it can. */
export function missingMounts(dir: string): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can mount a file system';
  try {
    run('mount', '-t', 'tmpfs', '-o', 'size=64k', 'ocikit-faults', dir);
    run('umount', dir);
    return undefined;
  } catch (error) {
    return `no file system can be mounted here: ${String(error).split('\n')[0] ?? ''}`;
  }
}

function run(command: string, ...args: readonly string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 10_000 });
}
