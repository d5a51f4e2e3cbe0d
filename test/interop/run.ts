// Running commands.
import { execFile, spawn } from 'node:child_process';
import type { ExecFileException } from 'node:child_process';
import { once } from 'node:events';

export interface RunOptions {
  readonly cwd?: string;
  /** Variables to add to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Text for the standard input of the command. */
  readonly input?: string;
  /** Milliseconds after which the command is killed. */
  readonly timeout?: number;
}

export interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/** Thrown if a command does not exit with 0. The message has the command line and the text on stderr. */
export class CommandError extends Error {
  readonly stdout: string;
  readonly stderr: string;

  constructor(commandLine: string, outcome: string, output: Output) {
    super(`$ ${commandLine}\n${outcome}\n${output.stderr.trimEnd()}\n${output.stdout.trimEnd()}`.trimEnd());
    this.name = 'CommandError';
    this.stdout = output.stdout;
    this.stderr = output.stderr;
  }
}

/** Runs a command until it exits. Throws a {@link CommandError} unless it exits with 0. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Output> {
  const { cwd, env, input, timeout = 100_000 } = options;
  return new Promise((resolve, reject) => {
    const child = execFile(
      command,
      args,
      { cwd, env: environment(env), timeout, killSignal: 'SIGKILL', maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error === null) {
          resolve({ stdout, stderr });
          return;
        }
        reject(new CommandError([command, ...args].join(' '), outcomeOf(error, timeout), { stdout, stderr }));
      },
    );
    // Ignore an error here: a command may close its input unread. The exit code tells if it failed.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

function outcomeOf(error: ExecFileException, timeout: number): string {
  if (error.killed === true) return `was killed after ${timeout} ms`;
  return typeof error.code === 'number' ? `failed: exit code ${error.code}` : `failed: ${error.message}`;
}

/** Runs a command that must fail. Resolves with its error. */
export async function runToFailure(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<CommandError> {
  try {
    await run(command, args, options);
  } catch (error) {
    if (error instanceof CommandError) return error;
    throw error;
  }
  throw new Error(`$ ${[command, ...args].join(' ')}\nsucceeded, and must not`);
}

/** Runs a command and kills it when `moment` resolves. Fails if the command ends earlier. */
export async function killAt(
  moment: Promise<void>,
  command: string,
  args: readonly string[],
  options: Pick<RunOptions, 'cwd' | 'env'> = {},
): Promise<void> {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: environment(options.env),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const exited = once(child, 'exit');
  const first = await Promise.race([moment.then(() => 'moment' as const), exited.then(() => 'exited' as const)]);
  if (first === 'exited') {
    throw new CommandError([command, ...args].join(' '), 'ended before it could be killed', { stdout: '', stderr });
  }
  child.kill('SIGKILL');
  await exited;
}

/** The environment without proxies, as the registry is on this machine. */
function environment(additions: RunOptions['env']): NodeJS.ProcessEnv {
  return {
    ...process.env,
    NO_PROXY: '127.0.0.1,localhost',
    no_proxy: '127.0.0.1,localhost',
    LC_ALL: 'C',
    ...additions,
  };
}
