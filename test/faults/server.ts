// `ocikit serve` in a process that a test may kill.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { afterEach, expect } from 'vitest';

const command = fileURLToPath(new URL('../../packages/cli/bin/ocikit.js', import.meta.url));

export interface ServerOptions {
  /** The flags of `ocikit serve`. */
  flags?: readonly string[];
  /** A command, with arguments, that executes the server in its own process, for example `setpriv`. */
  through?: readonly string[];
  /** Milliseconds within which the server has to listen or to end. Default: 15,000. */
  within?: number;
}

/** A running server. */
export interface Server {
  /** The URL, for example `http://127.0.0.1:41234`. */
  readonly url: string;
  readonly pid: number;
  /** The text on its stderr so far. */
  log(): string;
  /** Waits until this is on its stderr: a message may arrive after the answer that it belongs to. */
  logged(expected: string | RegExp): Promise<void>;
  /** Kills the server with SIGKILL. */
  kill(): Promise<void>;
  /** Stops the server with SIGTERM. Returns its exit code. */
  stop(): Promise<number | null>;
}

/** The end of a server that never listened. */
export interface FailedStart {
  code: number | null;
  stderr: string;
  milliseconds: number;
}

export interface Servers {
  /** Starts a server. Resolves once it accepts connections. */
  start(root: string, options?: ServerOptions): Promise<Server>;
  /** Starts a server that must end before it listens. */
  startToFailure(root: string, options?: ServerOptions): Promise<FailedStart>;
  /** Starts a server and kills it after this many milliseconds. */
  startAndKill(root: string, milliseconds: number, options?: ServerOptions): Promise<void>;
}

/** Servers that end with their test, or earlier. */
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

async function tooLate(within = 60_000): Promise<undefined> {
  await delay(within, undefined, { ref: false });
}

interface Process extends Omit<Server, 'url'> {
  listening: Promise<string>;
  /** Resolves with the exit code, after all output has been read. */
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
    async logged(expected) {
      await expect.poll(() => stderr).toMatch(expected);
    },
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
