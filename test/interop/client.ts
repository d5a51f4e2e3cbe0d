// A client program as the tests call it.
import { mkdir } from 'node:fs/promises';

import { beforeAll } from 'vitest';

import { locate } from './clients.ts';
import type { Files, Image } from './images.ts';
import { run, runToFailure } from './run.ts';
import type { CommandError, Output, RunOptions } from './run.ts';
import { useScratch } from './scratch.ts';
import type { Scratch } from './scratch.ts';

/** Arguments of a command. */
export type Invocation = [command: string, args: string[], options: RunOptions];

/** The command of a client, with its own home directory and storage. */
export interface Client extends Scratch {
  readonly name: string;
  invocation(...args: string[]): Invocation;
  run(...args: string[]): Promise<Output>;
  /** Runs a command that must fail. */
  runToFailure(...args: string[]): Promise<CommandError>;
}

/** A client that pushes and pulls images. */
export interface ImageClient extends Client {
  /** Gives the image to the client under this reference. Returns the command that pushes it. */
  prepare(image: Image, reference: string): Promise<Invocation>;
  /** Pushes the image. Resolves with the digest that the client reports. */
  push(image: Image, reference: string): Promise<string>;
  /** Pulls the image, after removing any copy of it. `options` are options of the command that pulls. */
  pull(reference: string, ...options: string[]): Promise<Pulled>;
}

export interface Pulled {
  /** The digest that the client reports. */
  readonly digest: string;
  readonly files: Files;
}

export interface ClientSettings {
  /** Arguments before all other ones. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * A client for the tests of one file or one `describe`. `prepare` gets a new directory, which is removed after the
 * tests, and returns how to call the program.
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

/** Returns the first group of the only match in the output of a client. */
export function find(pattern: RegExp, output: Output): string {
  const found = pattern.exec(`${output.stdout}\n${output.stderr}`)?.[1];
  if (found === undefined) throw new Error(`${pattern} is not in the output\n${output.stdout}${output.stderr}`);
  return found;
}
