// Starting programs, and a registry.
import { spawn } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const command = fileURLToPath(new URL('../../packages/cli/bin/ocikit.js', import.meta.url));

/** A running program. */
export interface Running {
  /** Waits for a text in its output. Returns the first group of the match. */
  said(pattern: RegExp): Promise<string>;
  /** Kills the program. */
  stop(): Promise<void>;
}

/** Starts a program. */
export function start(file: string, args: readonly string[], options: SpawnOptions = {}): Running {
  const child: ChildProcess = spawn(file, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close').then(
    () => undefined,
    (error: unknown) => error,
  );
  let output = '';
  let look = (): void => undefined;
  const listen = (text: string): void => {
    output += text;
    look();
  };
  child.stdout?.setEncoding('utf8').on('data', listen);
  child.stderr?.setEncoding('utf8').on('data', listen);
  return {
    said: (pattern) =>
      new Promise((resolve, reject) => {
        look = () => {
          const found = pattern.exec(output)?.[1];
          if (found !== undefined) resolve(found);
        };
        look();
        void ended.then((error) => reject(new Error(`${file} ended: ${output}`, { cause: error })));
      }),
    async stop() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Starts `ocikit serve --memory` on a free port. */
export async function startRegistry(): Promise<Running & { readonly host: string }> {
  const running = start(process.execPath, [command, 'serve', '--memory', '--quiet', '--port', '0']);
  return { ...running, host: await running.said(/^ocikit listening on http:\/\/(\S+)$/m) };
}
