// Starting systems, and measuring their time and memory.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

import { Connection } from '../load/connection.ts';
import type { Command, Start, System } from './system.ts';

/** Milliseconds that a system may take until its first answer. */
const patience = 20_000;

/** All running processes, to be killed if the benchmark ends early. */
const children = new Set<ChildProcess>();
let ending = false;

/** A running system. */
export interface Running {
  readonly port: number;
  readonly directory: string;
  /** Milliseconds from the start of the process to its first answer. */
  readonly startMilliseconds: number;
  /** Returns the highest memory use so far in MiB; undefined if /proc does not tell. */
  peakMemory(): Promise<number | undefined>;
  stop(): Promise<void>;
  /** Kills the process, as a crash would. */
  kill(): Promise<void>;
}

/** Options of a start: see `Start`. */
export type StartOptions = Partial<Pick<Start, 'certificate' | 'flags'>>;

/** Starts a system in a new directory, or in one that the same system has used. */
export async function start(
  system: System,
  program: string,
  directory: string,
  { certificate, flags = [] }: StartOptions = {},
): Promise<Running> {
  await mkdir(directory, { recursive: true });
  const port = await freePort();
  const { file, args, env } = await system.command({ program, directory, port, certificate, flags });
  if (ending) throw new Error('the benchmark is ending');
  const started = performance.now();
  const child = spawn(file, args, { cwd: directory, stdio: 'ignore', env: { ...process.env, ...env } });
  children.add(child);
  const exited = once(child, 'exit').finally(() => children.delete(child));
  try {
    await firstAnswer(port, child, certificate !== undefined);
  } catch (error) {
    child.kill('SIGKILL');
    throw new Error(`${[file, ...args].join(' ')}: ${(error as Error).message}`, { cause: error });
  }
  return {
    port,
    directory,
    startMilliseconds: performance.now() - started,
    peakMemory: () => peakMemory(child.pid),
    async stop() {
      child.kill('SIGTERM');
      const late = await Promise.race([exited.then(() => false), delay(patience, true, { ref: false })]);
      if (!late) return;
      child.kill('SIGKILL');
      await exited;
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** The time and the memory of a program, from its start to its end. */
export interface Ended {
  readonly seconds: number;
  /** Highest memory use in MiB; undefined if /proc does not tell. */
  readonly peakMemory: number | undefined;
}

/**
 * Runs a program until it exits, polls its memory, and fails unless it exits with 0.
 *
 * @param limit seconds after which the program is killed
 */
export async function runMeasured({ file, args, env }: Command, limit: number = 600): Promise<Ended> {
  if (ending) throw new Error('the benchmark is ending');
  const started = performance.now();
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } });
  children.add(child);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-2000)));
  let peak: number | undefined;
  // The highest memory use never falls, so the last poll is right, except for growth after it.
  const tooLong = setTimeout(() => child.kill('SIGKILL'), limit * 1000);
  const timer = setInterval(() => void peakMemory(child.pid).then((found) => (peak = found ?? peak)), 20);
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    const seconds = (performance.now() - started) / 1000;
    if (code !== 0) throw new Error(`${[file, ...args].join(' ')}: ended with ${code ?? signal}: ${said.trim()}`);
    return { seconds, peakMemory: peak };
  } finally {
    clearInterval(timer);
    clearTimeout(tooLong);
    children.delete(child);
  }
}

/** Kills all running processes, and prevents new ones. */
export function killAll(): void {
  ending = true;
  for (const child of children) child.kill('SIGKILL');
}

async function firstAnswer(port: number, child: ChildProcess, secure: boolean): Promise<void> {
  const until = performance.now() + patience;
  let failure: unknown;
  child.once('error', (error) => (failure = error));
  while (performance.now() < until) {
    if (failure !== undefined) throw failure as Error;
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`ended (${child.exitCode ?? child.signalCode}) before it answered`);
    }
    if (await answers(port, secure)) return;
    await delay(1);
  }
  throw new Error(`did not answer within ${patience} ms`);
}

async function answers(port: number, secure: boolean): Promise<boolean> {
  let connection: Connection | undefined;
  try {
    connection = await Connection.open(port, secure);
    return (await connection.send('GET /v2/')).status === 200;
  } catch {
    return false;
  } finally {
    connection?.close();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function peakMemory(pid: number | undefined): Promise<number | undefined> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const kibibytes = /^VmHWM:\s+([0-9]+) kB$/m.exec(status)?.[1];
    return kibibytes === undefined ? undefined : Number(kibibytes) / 1024;
  } catch {
    return undefined;
  }
}
