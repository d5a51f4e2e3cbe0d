import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { afterEach } from 'vitest';

const command = fileURLToPath(new URL('../../packages/cli/bin/ocikit.js', import.meta.url));

export interface ServerOptions {
  /** Flags of `ocikit serve`. */
  flags?: readonly string[];
  /** A command and its arguments that become the server in the same process, such as `setpriv`. */
  through?: readonly string[];
  /** Milliseconds that it may take to listen or to end. Default: 15 s. */
  within?: number;
}

/** A server in a process of its own. */
export interface Server {
  /** `http://127.0.0.1:41234` */
  readonly url: string;
  readonly pid: number;
  /** What it has written to stderr. */
  log(): string;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGTERM; gives the exit code. */
  stop(): Promise<number | null>;
}

/** How a server ended that did not come to listening. */
export interface FailedStart {
  code: number | null;
  stderr: string;
  milliseconds: number;
}

export interface Servers {
  /** Resolves when it accepts connections. */
  start(root: string, options?: ServerOptions): Promise<Server>;
  /** Starts one that must not come to listening. */
  startToFailure(root: string, options?: ServerOptions): Promise<FailedStart>;
  /** Starts one and kills it after so many milliseconds, wherever it is by then. */
  startAndKill(root: string, milliseconds: number, options?: ServerOptions): Promise<void>;
}

/** Servers that end with their test at the latest. */
export function useServers(): Servers {
  const running = new Set<Process>();
  afterEach(async () => {
    await Promise.all([...running].map((server) => server.kill()));
  });
  const run = (root: string, options: ServerOptions): Process => {
    const server = launch(root, options);
    running.add(server);
    void server.exited.then(() => running.delete(server));
    return server;
  };
  return {
    async start(root, options = {}) {
      const server = run(root, options);
      const first = await Promise.race([
        server.listening,
        server.exited.then(() => undefined),
        tooLate(options.within),
      ]);
      if (first !== undefined) return { ...server, url: first };
      await server.kill();
      throw new Error(`the server did not come to listening:\n${server.log()}`);
    },
    async startToFailure(root, options = {}) {
      const started = performance.now();
      const server = run(root, options);
      const first = await Promise.race([
        server.listening,
        server.exited.then(() => undefined),
        tooLate(options.within),
      ]);
      const milliseconds = performance.now() - started;
      if (first !== undefined) {
        await server.kill();
        throw new Error(`the server listens on ${first}, and should not:\n${server.log()}`);
      }
      return { code: await server.exited, stderr: server.log(), milliseconds };
    },
    async startAndKill(root, milliseconds, options = {}) {
      const server = run(root, options);
      await delay(milliseconds);
      await server.kill();
    },
  };
}

async function tooLate(within = 15_000): Promise<undefined> {
  await delay(within, undefined, { ref: false });
}

interface Process extends Omit<Server, 'url'> {
  listening: Promise<string>;
  /** Resolves with the exit code, once all of its output has been read. */
  exited: Promise<number | null>;
}

function launch(root: string, { flags = [], through = [] }: ServerOptions): Process {
  const line = [...through, process.execPath, command, 'serve', '--root', root, '--port', '0', ...flags];
  const [file = '', ...args] = line;
  const env = { ...process.env, NO_PROXY: '127.0.0.1', UV_USE_IO_URING: '0' };
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  if (child.pid === undefined) throw new Error(`${file} cannot be started`);
  let stderr = '';
  let stdout = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const exited = once(child, 'close').then(([code]) => code as number | null);
  const listening = new Promise<string>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      const url = /^ocikit listening on (\S+)\n/.exec(stdout)?.[1];
      if (url !== undefined) resolve(url);
    });
  });
  return {
    pid: child.pid,
    log: () => stderr,
    listening,
    exited,
    async kill() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await exited;
    },
    async stop() {
      child.kill('SIGTERM');
      const code = await Promise.race([exited, tooLate()]);
      if (code !== undefined) return code;
      child.kill('SIGKILL');
      throw new Error(`the server did not stop within 15 s of SIGTERM:\n${stderr.slice(-4096)}`);
    },
  };
}
