import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach } from 'vitest';
import type { TestContext } from 'vitest';

import { missingCommand, requireOf } from './requirement.ts';

export interface Failure {
  /** As strace has it: `pread64,read`. */
  calls: string;
  /** Only those on these files; all if there are none. */
  paths?: readonly string[];
  /** Each thread's first ones that still succeed. Default: 0. */
  after?: number;
}

export interface FailingCalls {
  /** From now on such calls of a process fail with EIO, as on a disk that is breaking. */
  begin(pid: number, failure: Failure): Promise<void>;
  /** They succeed again. Gives the calls that have failed since `begin`. */
  end(): Promise<string[]>;
}

const tracer = 'strace';

/** What a server is started through so that its calls fail from the start. It stays the process that is started. */
export function failing(failure: Failure, file: string): string[] {
  return [tracer, '-f', '-D', '-qq', ...injection(failure, file)];
}

export function requireFailingCalls(context: TestContext): void {
  requireOf(context, missingCommand(tracer, '-f', '-o', '/dev/null', 'true'));
}

/** Failures that end with their test, one at a time. */
export function useFailingCalls(newDirectory: () => Promise<string>): FailingCalls {
  let running: ChildProcess | undefined;
  let file = '';
  const end = async (): Promise<void> => {
    const ending = running;
    running = undefined;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    const closed = once(ending, 'close');
    ending.kill('SIGTERM');
    await closed;
  };
  afterEach(end);
  return {
    async begin(pid, failure) {
      await end();
      file = join(await newDirectory(), 'failed');
      const started = spawn(tracer, ['-f', '-p', `${pid}`, ...injection(failure, file)], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      running = started;
      let said = '';
      await new Promise<void>((resolve, reject) => {
        started.stderr.setEncoding('utf8').on('data', (text: string) => {
          said += text;
          if (/Process \d+ attached/.test(said)) resolve();
        });
        started.once('close', () => reject(new Error(`${tracer} has ended:\n${said}`)));
        started.once('error', reject);
      });
    },
    async end() {
      await end();
      return failedCalls(file);
    },
  };
}

/** The calls that were made to fail, as strace wrote them down. */
export async function failedCalls(file: string): Promise<string[]> {
  return (await readFile(file, 'utf8')).split('\n').filter((line) => line.endsWith('(INJECTED)'));
}

function injection({ calls, paths = [], after = 0 }: Failure, file: string): string[] {
  const where = paths.flatMap((path) => ['-P', path]);
  const what = ['-e', `trace=${calls}`, '-e', `inject=${calls}:error=EIO:when=${after + 1}+`];
  return ['-y', '-o', file, ...where, ...what, '-e', 'signal=none'];
}
