// Starting a daemon, and waiting until it answers.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

import { run } from '../programs.ts';

/** A program, perhaps called through another one. */
export interface Callable {
  readonly file: string;
  /** Arguments before all other ones. */
  readonly args: readonly string[];
}

/** A running daemon. */
export interface Daemon {
  /** The address of its socket. */
  readonly address: string;
  stop(): Promise<void>;
}

/** A daemon to start. */
export interface DaemonStart {
  readonly name: string;
  readonly program: Callable;
  readonly args: readonly string[];
  readonly address: string;
  readonly logFile: string;
  /** A command that fails until the daemon answers. */
  readonly answers: Callable;
  /** Seconds that it may take until its first answer, and until its end. */
  readonly patience: number;
  /** Called if the daemon had to be killed. */
  readonly afterKill?: () => Promise<void>;
}

/** Starts a daemon. Resolves once it answers. */
export async function startDaemon(start: DaemonStart): Promise<Daemon> {
  const { name, program, args, address, logFile, patience, afterKill } = start;
  const log = await open(logFile, 'w');
  const child = spawn(program.file, [...program.args, ...args], { stdio: ['ignore', log.fd, log.fd] });
  const ended = once(child, 'exit').then(
    ([code, signal]: unknown[]) => String(code ?? signal),
    (error: Error) => error.message,
  );
  let end: string | undefined;
  void ended.then((how) => (end = how));
  await log.close();

  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const late = await Promise.race([ended.then(() => false), delay(patience * 1000, true, { ref: false })]);
    if (!late) return;
    child.kill('SIGKILL');
    await ended;
    await afterKill?.();
  };

  for (let attempt = 0; attempt < patience * 10; attempt += 1) {
    if (end !== undefined) throw new Error(`${name} ended: ${end}\n${await tail(logFile)}`);
    if (await succeeds(start.answers)) return { address, stop };
    await delay(100);
  }
  await stop();
  throw new Error(`${name} did not answer within ${patience} s\n${await tail(logFile)}`);
}

async function succeeds({ file, args }: Callable): Promise<boolean> {
  try {
    await run(file, args, { timeout: 10_000 });
    return true;
  } catch {
    return false;
  }
}

async function tail(file: string): Promise<string> {
  return (await readFile(file, 'utf8')).slice(-8192);
}
