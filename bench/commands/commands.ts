// Real clients: their programs, daemons and images, shared by all rounds of a run.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { startContainerd } from '../daemons/containerd.ts';
import type { Callable, Daemon } from '../daemons/daemon.ts';
import { startDocker } from '../daemons/docker.ts';
import { ProgramError, run } from '../programs.ts';
import type { Scratch } from '../scratch.ts';
import type { Command } from '../systems/system.ts';
import { makeCommandImage } from './images.ts';
import type { CommandImage } from './images.ts';

/** The name of a real client. */
export type CommandName = 'docker' | 'podman' | 'skopeo' | 'crane' | 'ctr';

/** A client with a home of its own. */
export interface CommandClient {
  /** Returns the command with these arguments. */
  command(...args: readonly string[]): Command;
  /** Runs a command that is not measured. */
  run(...args: readonly string[]): Promise<void>;
}

/** Returns how to call a program; undefined if it is not installed. */
export type FindCommand = (program: string) => Promise<Callable | undefined>;

/** The programs that each client needs. */
const programsOf: Readonly<Record<CommandName, readonly string[]>> = {
  docker: ['docker', 'dockerd', 'containerd'],
  podman: ['podman'],
  skopeo: ['skopeo'],
  crane: ['crane'],
  ctr: ['ctr', 'containerd'],
};
const needRoot: ReadonlySet<CommandName> = new Set(['docker', 'podman', 'ctr']);

/** The real clients of a run. Each is started when it is first used. */
export class Commands {
  readonly #find: FindCommand;
  readonly #scratch: Scratch;
  readonly #clients = new Map<CommandName, Promise<CommandClient>>();
  readonly #images = new Map<string, Promise<CommandImage>>();
  readonly #daemons: Daemon[] = [];

  constructor(find: FindCommand, scratch: Scratch) {
    this.#find = find;
    this.#scratch = scratch;
  }

  /** Returns a client, or the reason why it cannot be used. */
  async get(name: CommandName): Promise<CommandClient | string> {
    const missing = await this.whyMissing(name);
    if (missing !== undefined) return `not run: ${missing}`;
    let client = this.#clients.get(name);
    if (client === undefined) this.#clients.set(name, (client = this.#start(name)));
    try {
      return await client;
    } catch (error) {
      return `not run: ${(error as Error).message.split('\n')[0]}`;
    }
  }

  /** Returns the reason why a client cannot be used; undefined if it can. */
  async whyMissing(name: CommandName): Promise<string | undefined> {
    for (const program of programsOf[name]) {
      if ((await this.#find(program)) === undefined) return `${program} is not installed`;
    }
    return needRoot.has(name) && process.getuid?.() !== 0 ? `${name} needs root` : undefined;
  }

  /** Returns an image, which is made when it is first used. */
  image(size: number, seed: number): Promise<CommandImage> {
    const key = `${size}:${seed}`;
    let image = this.#images.get(key);
    if (image === undefined) this.#images.set(key, (image = this.#makeImage(size, seed)));
    return image;
  }

  /** Ends all daemons. */
  async stop(): Promise<void> {
    await Promise.all(this.#daemons.splice(0).map((daemon) => daemon.stop()));
  }

  async #makeImage(size: number, seed: number): Promise<CommandImage> {
    const directory = this.#scratch.newPath('image');
    await mkdir(directory);
    return makeCommandImage(directory, size, seed);
  }

  async #start(name: CommandName): Promise<CommandClient> {
    const directory = this.#scratch.newPath(name);
    await mkdir(directory);
    const callable = async (program: string): Promise<Callable> => {
      const found = await this.#find(program);
      if (found === undefined) throw new Error(`${program} is not installed`);
      return found;
    };
    const program = await callable(programsOf[name][0] ?? name);
    const home = { HOME: directory, TMPDIR: directory };
    if (name === 'docker') {
      const dockerd = await callable('dockerd');
      const start = { docker: program, dockerd, directory, storageDriver: 'overlay2', flags: [] } as const;
      const daemon = await startDocker(start);
      this.#daemons.push(daemon);
      return clientOf(program, [], { ...home, DOCKER_CONFIG: join(directory, 'config'), DOCKER_HOST: daemon.address });
    }
    if (name === 'ctr') {
      const daemon = await startContainerd({ containerd: await callable('containerd'), ctr: program, directory });
      this.#daemons.push(daemon);
      return clientOf(program, ['--address', daemon.address], home);
    }
    if (name === 'podman') {
      const storage = ['--root', join(directory, 'storage'), '--runroot', join(directory, 'run')];
      const args = [...storage, '--storage-driver', 'overlay', '--cgroup-manager', 'cgroupfs'];
      return clientOf(program, [...args, '--events-backend', 'none'], { ...home, XDG_RUNTIME_DIR: directory });
    }
    if (name === 'skopeo') {
      return clientOf(program, ['--insecure-policy', '--tmpdir', directory], { ...home, XDG_RUNTIME_DIR: directory });
    }
    return clientOf(program, [], { ...home, DOCKER_CONFIG: join(directory, 'config') });
  }
}

/** A minute more than a client needs for 1 GiB on a slow machine. */
const timeout = 300_000;

function clientOf(
  { file, args: first }: Callable,
  args: readonly string[],
  env: Record<string, string>,
): CommandClient {
  // The registry is on this machine: no proxy may come between.
  const local = { ...env, NO_PROXY: '127.0.0.1,localhost', no_proxy: '127.0.0.1,localhost' };
  return {
    command: (...further) => ({ file, args: [...first, ...args, ...further], env: local }),
    async run(...further) {
      await run(file, [...first, ...args, ...further], { env: local, timeout });
    },
  };
}

/** Runs a command that may fail, as when there is nothing to remove. */
export async function attempt(command: Promise<void>): Promise<void> {
  try {
    await command;
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
  }
}
