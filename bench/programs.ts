// Running, finding and installing programs.
import { execFile } from 'node:child_process';
import type { ExecFileException } from 'node:child_process';
import { access, constants, mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/** The source of a program that is not installed. */
export type Source =
  | { readonly apt: string }
  | {
      readonly go: string;
      /** True if building it takes minutes: it is then installed last, as time is limited. */
      readonly large?: boolean;
    };

/** The directory for programs that Go builds. It is outside of the repository and kept for the next run. */
const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'ocikit-bench', 'bin');
/** The directory in which the interop tests install crane. */
const interopCache = fileURLToPath(new URL('../../test/interop/.cache/bin', import.meta.url));

/** Thrown if a program does not exit with 0. */
export class ProgramError extends Error {
  readonly stdout: string;

  constructor(command: string, args: readonly string[], output: Output, cause: ExecFileException) {
    const reason = cause.killed === true ? 'took too long' : output.stderr.trim() || cause.message;
    super(`${command} ${args.join(' ')}: ${reason}`, { cause });
    this.stdout = output.stdout;
  }
}

export interface RunOptions {
  /** Milliseconds after which the program gets SIGINT and fails. Go leaves temporary files behind if it is killed. */
  readonly timeout?: number;
  /** Milliseconds after which the program gets SIGINT and has to end well. */
  readonly interruptAfter?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program until it exits, and fails unless it exits with 0. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Output> {
  const env = { ...process.env, LC_ALL: 'C', ...options.env };
  return new Promise((resolve, reject) => {
    const settings = { timeout: options.timeout, killSignal: 'SIGINT' as const, env };
    const child = execFile(command, args, settings, (error, stdout, stderr) => {
      clearTimeout(interrupt);
      if (error === null) resolve({ stdout, stderr });
      else reject(new ProgramError(command, args, { stdout, stderr }, error));
    });
    const { interruptAfter } = options;
    const interrupt = interruptAfter && setTimeout(() => child.kill('SIGINT'), interruptAfter);
  });
}

/** Returns the path of a program; undefined if it is not found. */
export async function locate(program: string): Promise<string | undefined> {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', cache, interopCache];
  for (const directory of directories) {
    const path = join(directory, program);
    if (await isExecutable(path)) return path;
  }
  return undefined;
}

/** True if this is a program that may be run. */
export async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Returns the path of a program, and installs it first if it is missing.
 *
 * @param timeout milliseconds that installing may take
 * @returns the path, or the reason why the program is missing
 */
export async function locateOrInstall(
  program: string,
  source: Source | undefined,
  timeout: number,
): Promise<{ readonly path: string } | { readonly missing: string }> {
  const found = await locate(program);
  if (found !== undefined) return { path: found };
  if (source === undefined) return { missing: 'not installed' };
  try {
    await ('apt' in source ? installWithApt(source.apt, timeout) : installWithGo(source.go, timeout));
  } catch (error) {
    return { missing: `not installed: ${lastLine((error as Error).message)}` };
  }
  const path = await locate(program);
  return path === undefined ? { missing: 'not installed' } : { path };
}

async function installWithApt(name: string, timeout: number): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('apt-get needs root');
  if (timeout <= 0) throw new Error('there was no time to install it');
  // In runlevel 1 a package does not start its service: the benchmark starts its own.
  const env = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const until = performance.now() + timeout;
  await run('apt-get', ['update'], { env, timeout });
  const install = ['install', '--yes', '--no-install-recommends', name];
  await run('apt-get', install, { env, timeout: Math.max(1, Math.round(until - performance.now())) });
}

async function installWithGo(module: string, timeout: number): Promise<void> {
  if (timeout <= 0) throw new Error('there was no time to install it');
  await mkdir(cache, { recursive: true });
  await run('go', ['install', module], { env: { GOBIN: cache }, timeout });
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? '';
}
