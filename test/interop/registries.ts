import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { afterAll, beforeAll, beforeEach } from 'vitest';

import { locate } from './clients.ts';
import { makeScratch, removeScratch } from './scratch.ts';

/** A registry of others, for the tests of one file or one `describe`. */
export interface OtherRegistry {
  /** `host:port`, spoken to in plain HTTP. */
  readonly host: string;
  /** Starts it again, on what it has stored, and on the same port. It forgets what it only remembered. */
  restart(): Promise<void>;
  /** Ends it before its tests do. */
  stop(): Promise<void>;
}

export interface OtherRegistryOptions {
  /** Who may use it, by Basic: the lines of an `htpasswd` file. */
  readonly htpasswd?: string | undefined;
  /** Who issues the tokens that it wants. */
  readonly tokens?: TokenIssuer | undefined;
}

/** What a registry has to know of a token server. */
export interface TokenIssuer {
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  /** The certificate (PEM) of the key that signs. */
  readonly certificate: string;
}

interface Command {
  program: string;
  args: string[];
}

/** Debian's `docker-registry`, or distribution v3: what they are told is the same. */
export function useDistribution(
  program: 'docker-registry' | 'registry',
  options: () => OtherRegistryOptions = () => ({}),
): OtherRegistry {
  return useOtherRegistry(async (directory, address) => {
    const { htpasswd, tokens } = options();
    const file = (name: string): string => join(directory, name);
    if (htpasswd !== undefined) await writeFile(file('htpasswd'), htpasswd);
    if (tokens !== undefined) await writeFile(file('certificate.pem'), tokens.certificate);
    const configuration = {
      version: '0.1',
      log: { level: 'info', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: file('content') }, delete: { enabled: true } },
      // Layers that are fetched from elsewhere are refused unless their URLs are allowed.
      validation: { manifests: { urls: { allow: ['.*'] } } },
      http: { addr: address },
      auth: {
        ...(htpasswd === undefined ? {} : { htpasswd: { realm: 'test', path: file('htpasswd') } }),
        ...(tokens === undefined
          ? {}
          : {
              token: {
                realm: tokens.realm,
                service: tokens.service,
                issuer: tokens.issuer,
                rootcertbundle: file('certificate.pem'),
              },
            }),
      },
    };
    // YAML has all of JSON.
    await writeFile(file('config.yml'), JSON.stringify(configuration));
    return { program, args: ['serve', file('config.yml')] };
  });
}

/** `crane registry serve`: the registry of go-containerregistry, which others use in their tests. */
export function useCraneRegistry(keepsBlobs: 'in memory' | 'on disk'): OtherRegistry {
  return useOtherRegistry(async (directory, address) => {
    const blobs = join(directory, 'blobs');
    await mkdir(blobs, { recursive: true });
    const disk = keepsBlobs === 'on disk' ? ['--disk', blobs] : [];
    return { program: 'crane', args: ['registry', 'serve', '--address', address, ...disk] };
  });
}

function useOtherRegistry(command: (directory: string, address: string) => Promise<Command>): OtherRegistry {
  let directory: string | undefined;
  let running: Running | undefined;
  const start = async (address: string): Promise<void> => {
    if (directory === undefined) throw new Error('the directory is made before the tests');
    running = await startProgram(await command(directory, address));
  };
  const stop = async (): Promise<void> => {
    const stopped = running;
    running = undefined;
    await stopped?.stop();
  };
  const host = (): string => {
    if (running === undefined) throw new Error('the registry is not running');
    return running.host;
  };
  beforeAll(async () => {
    // It waits for the disk after each file that it writes.
    directory = await makeScratch(existsSync('/dev/shm') ? '/dev/shm' : undefined);
    await start('127.0.0.1:0');
  });
  afterAll(async () => {
    await stop();
    if (directory !== undefined) await removeScratch(directory);
  });
  beforeEach(({ onTestFailed }) => {
    const before = running?.log().length ?? 0;
    onTestFailed(() => {
      const log = running?.log().slice(before) ?? '';
      if (log !== '') process.stderr.write(`the other registry's log during the failed test:\n${log.slice(-4096)}\n`);
    });
  });
  return {
    get host() {
      return host();
    },
    stop,
    async restart() {
      const address = host();
      await stop();
      await start(address);
    },
  };
}

interface Running {
  readonly host: string;
  log(): string;
  stop(): Promise<void>;
}

/** Resolves once the registry has said where it listens. */
async function startProgram({ program, args }: Command): Promise<Running> {
  const child = spawn((await locate(program)) ?? program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(child, 'exit').then(([code, signal]: unknown[]) => String(code ?? signal));
  let log = '';
  const listening = new Promise<string>((resolve) => {
    const read = (text: string): void => {
      log += text;
      const found = /listening on 127\.0\.0\.1:(\d+)|serving on port (\d+)/.exec(log);
      if (found !== null) resolve(`127.0.0.1:${found[1] ?? found[2]}`);
    };
    for (const output of [child.stdout, child.stderr]) output.setEncoding('utf8').on('data', read);
  });
  const host = await Promise.race([listening, exited.then(() => undefined), delay(20_000, undefined, { ref: false })]);
  if (host === undefined) {
    child.kill('SIGKILL');
    throw new Error(`${program} does not listen\n${log}`);
  }
  return {
    host,
    log: () => log,
    async stop() {
      child.kill('SIGTERM');
      const end = await Promise.race([exited, delay(5000, undefined, { ref: false })]);
      if (end === undefined) child.kill('SIGKILL');
      await exited;
    },
  };
}
