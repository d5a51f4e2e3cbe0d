// System calls of a server that fail, by strace.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach } from 'vitest';
import type { TestContext } from 'vitest';

import { missingCommand, requireOf } from './requirement.ts';

export interface Failure {
  /** System calls, as strace names them: `pread64,read`. */
  calls: string;
  /** Only calls on these files fail; an empty list means calls on all files. */
  paths?: readonly string[];
  /** Number of calls of each thread that still succeed first. Default: 0. */
  after?: number;
}

export interface FailingCalls {
  /** Lets these calls of a process fail with EIO, as on a broken disk. */
  begin(pid: number, failure: Failure): Promise<void>;
  /** Lets the calls succeed again. Returns the calls that failed since `begin`. */
  end(): Promise<string[]>;
}

const tracer = 'strace';

/** Returns the command prefix with which the calls of a server fail from its start. The server keeps its process id. */
export function failing(failure: Failure, file: string): string[] {
  return [tracer, '-f', '-D', '-qq', ...injection(failure, file)];
}

export function requireFailingCalls(context: TestContext): void {
  requireOf(context, missingCommand(tracer, '-f', '-o', '/dev/null', 'true'));
}

/** Failures, one at a time. They end with their test. */
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

/** Returns the failed calls in the output of strace. */
export async function failedCalls(file: string): Promise<string[]> {
  return (await readFile(file, 'utf8')).split('\n').filter((line) => line.endsWith('(INJECTED)'));
}

function injection({ calls, paths = [], after = 0 }: Failure, file: string): string[] {
  const where = paths.flatMap((path) => ['-P', path]);
  const what = ['-e', `trace=${calls}`, '-e', `inject=${calls}:error=EIO:when=${after + 1}+`];
  return ['-y', '-o', file, ...where, ...what, '-e', 'signal=none'];
}
