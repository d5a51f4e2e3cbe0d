// Registries of other projects.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { afterAll, beforeAll, beforeEach } from 'vitest';

import { locate } from './clients.ts';
import { makeScratch, removeScratch } from './scratch.ts';

/** A registry of another project, for the tests of one file or one `describe`. */
export interface OtherRegistry {
  /** `host:port` of the registry, which uses HTTP without TLS. */
  readonly host: string;
  /** Restarts the registry on its stored content and the same port. Its state in memory is lost. */
  restart(): Promise<void>;
  /** Stops the registry before the end of its tests. */
  stop(): Promise<void>;
}

export interface OtherRegistryOptions {
  /** The users for Basic authentication: the lines of an `htpasswd` file. */
  readonly htpasswd?: string | undefined;
  /** The issuer of the tokens that the registry accepts. */
  readonly tokens?: TokenIssuer | undefined;
}

/** The facts about a token server that a registry needs. */
export interface TokenIssuer {
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  /** The certificate (PEM) of the key that signs tokens. */
  readonly certificate: string;
}

interface Command {
  program: string;
  args: string[];
}

/** Debian's `docker-registry`, or distribution v3. Both take the same configuration. */
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
      // The registry refuses layers with foreign URLs unless these URLs are allowed.
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
    // JSON is YAML.
    await writeFile(file('config.yml'), JSON.stringify(configuration));
    return { program, args: ['serve', file('config.yml')] };
  });
}

/** `crane registry serve`: the registry of go-containerregistry, which many projects use in their tests. */
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
    // The registry syncs each file that it writes.
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

/** Resolves once the registry has printed its address. */
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
  const host = await Promise.race([listening, exited.then(() => undefined), delay(60_000, undefined, { ref: false })]);
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
