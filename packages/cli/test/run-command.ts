// Starts the command in tests.
import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { onTestFinished } from 'vitest';

export const command: string = fileURLToPath(new URL('../bin/ocikit.js', import.meta.url));

export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  child: ChildProcessWithoutNullStreams;
  /** Its output on stderr so far. */
  log: () => string;
  outcome: Promise<Outcome>;
}

export interface RunOptions {
  /** Its working directory; content is stored in it by default. Default: a directory of its own. */
  cwd?: string | undefined;
}

/** Starts the command as it was built; with the test it is killed. */
export async function start(args: readonly string[], { cwd }: RunOptions = {}): Promise<Running> {
  const dir = cwd ?? (await temporaryDirectory());
  const child = spawn(process.execPath, [command, ...args], { cwd: dir });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (piece: Buffer) => (stdout += piece.toString()));
  child.stderr.on('data', (piece: Buffer) => (stderr += piece.toString()));
  const outcome = new Promise<Outcome>((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await outcome;
  });
  return { child, log: () => stderr, outcome };
}

/** Runs the command to its end. */
export async function run(args: readonly string[], options?: RunOptions): Promise<Outcome> {
  const { outcome } = await start(args, options);
  return outcome;
}

/** Starts a server on a free port, and waits for the line that says where it listens. */
export async function startServing(args: readonly string[], options?: RunOptions): Promise<Running & { url: string }> {
  const running = await start(['serve', '--port', '0', ...args], options);
  const url = await new Promise<string>((resolve, reject) => {
    running.child.stdout.once('data', (piece: Buffer) => {
      const [, found] = /^ocikit listening on (http:\/\/\S+)\n$/.exec(piece.toString()) ?? [];
      if (found === undefined) reject(new Error(`the line is ${piece.toString()}`));
      else resolve(found);
    });
    void running.outcome.then(({ stderr }) => reject(new Error(stderr)));
  });
  return { ...running, url };
}

/** One that is gone after the test. */
export async function temporaryDirectory(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'ocikit-command-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}
