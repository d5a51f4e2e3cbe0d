import { mkdir } from 'node:fs/promises';

import { beforeAll } from 'vitest';

import { locate } from './clients.ts';
import type { Files, Image } from './images.ts';
import { run, runToFailure } from './run.ts';
import type { CommandError, Output, RunOptions } from './run.ts';
import { useScratch } from './scratch.ts';
import type { Scratch } from './scratch.ts';

/** The arguments of `run`. */
export type Invocation = [command: string, args: string[], options: RunOptions];

/** A client's command, with a home directory and a storage of its own. */
export interface Client extends Scratch {
  readonly name: string;
  invocation(...args: string[]): Invocation;
  run(...args: string[]): Promise<Output>;
  /** Runs what must fail. */
  runToFailure(...args: string[]): Promise<CommandError>;
}

/** A client that pushes and pulls images. */
export interface ImageClient extends Client {
  /** Makes the image the client's own, under this reference, and tells the command that pushes it. */
  prepare(image: Image, reference: string): Promise<Invocation>;
  /** Pushes the image, and resolves with the digest that the client says it has. */
  push(image: Image, reference: string): Promise<string>;
  /** Pulls the image, with nothing of it there before. `options` are the pulling command's own. */
  pull(reference: string, ...options: string[]): Promise<Pulled>;
}

export interface Pulled {
  /** The digest that the client says the image has. */
  readonly digest: string;
  readonly files: Files;
}

export interface ClientSettings {
  /** Arguments before all others. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * A client for the tests of one file or one `describe`: `prepare` gets a directory of its own, which is removed after
 * the tests, and says how the program is to be called.
 */
export function useClient(
  name: string,
  program: string,
  prepare: (directory: string) => ClientSettings | Promise<ClientSettings>,
): Client {
  const scratch = useScratch();
  let directory = '';
  let path = program;
  let settings: ClientSettings = {};
  beforeAll(async () => {
    directory = scratch.newPath();
    await mkdir(directory);
    path = (await locate(program)) ?? program;
    settings = await prepare(directory);
  });

  const invocation = (...args: string[]): Invocation => [
    path,
    [...(settings.args ?? []), ...args],
    { cwd: directory, env: { HOME: directory, ...settings.env } },
  ];
  return {
    ...scratch,
    name,
    invocation,
    run: (...args) => run(...invocation(...args)),
    runToFailure: (...args) => runToFailure(...invocation(...args)),
  };
}

/** The only match's first group: what a client's output must contain. */
export function find(pattern: RegExp, output: Output): string {
  const found = pattern.exec(`${output.stdout}\n${output.stderr}`)?.[1];
  if (found === undefined) throw new Error(`${pattern} is not in the output\n${output.stdout}${output.stderr}`);
  return found;
}
