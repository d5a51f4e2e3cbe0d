// `ocikit serve`, or a given registry, as the tests use it.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, beforeEach } from 'vitest';

import { sha256 } from './images.ts';
import { makeScratch, removeScratch } from './scratch.ts';

const command = fileURLToPath(new URL('../../packages/cli/bin/ocikit.js', import.meta.url));

/** `OCIKIT_INTEROP_REGISTRY=host:port` tests a running registry, over HTTP without TLS. */
export const givenRegistry: string | undefined = process.env['OCIKIT_INTEROP_REGISTRY'];

interface RunningRegistry {
  readonly host: string;
  /** The text on its stderr so far. */
  log(): string;
  /** Sends SIGTERM. Fails unless the server exits with 0. */
  stop(): Promise<void>;
}

/** The registry of the tests of one file or one `describe`. */
export interface TestRegistry {
  /** The address: `host:port`. */
  readonly host: string;
  /** The prefix of all repositories. No other test and no earlier run has used it. */
  readonly namespace: string;
  /** Returns a reference with the prefix: `app:1` becomes `127.0.0.1:41234/interop-1f2e3d4c/app:1`. */
  reference(name: string): string;
  /** Sends a request with the prefix: `app/manifests/1` becomes `/v2/interop-1f2e3d4c/app/manifests/1`. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** Returns the manifest of a tag or a digest. */
  manifest(repository: string, reference: string): Promise<StoredManifest>;
}

/** A registry in a directory. The tests read the directory, and start and stop the registry. */
export interface DirectoryRegistry extends TestRegistry {
  /** The root of the registry. */
  readonly root: string;
  /** Returns the layout of a repository, if each repository has its own. */
  directory(repository: string): string;
  /** Starts the registry, each time on the same port. */
  start(): Promise<void>;
  /** Stops the registry. Fails unless it exits with 0. */
  stop(): Promise<void>;
}

export interface StoredManifest {
  /** Digest of the bytes that the registry sent. */
  readonly digest: string;
  readonly mediaType: string;
  /** The layers of an image; empty in an index. */
  readonly layers: readonly StoredDescriptor[];
  /** The manifests of an index; empty in an image. */
  readonly manifests: readonly StoredDescriptor[];
}

export interface StoredDescriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const manifestTypes = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];

/**
 * Starts `ocikit serve` before the tests, on a new directory unless the flags have `--memory`. Stops the server after
 * the tests, and fails unless it exits with 0. A failed test shows the end of the server's log.
 */
export function useRegistry(...flags: string[]): TestRegistry {
  const registry = useDirectoryRegistry(...flags);
  beforeAll(() => registry.start());
  return registry;
}

/** Like {@link useRegistry}, but the tests start the server, so that they can fill the directory before. */
export function useDirectoryRegistry(...flags: string[]): DirectoryRegistry {
  const namespace = `interop-${randomBytes(4).toString('hex')}`;
  let root: string | undefined;
  let server: RunningRegistry | undefined;
  let port = '0';
  const madeRoot = (): string => {
    if (root === undefined) throw new Error('the directory is made before the tests, not while they are collected');
    return root;
  };
  const running = (): RunningRegistry => {
    if (server === undefined) throw new Error('the registry is not running');
    return server;
  };
  const stop = async (): Promise<void> => {
    const stopped = server;
    server = undefined;
    await stopped?.stop();
  };
  beforeAll(async () => {
    root = await makeScratch();
  });
  afterAll(async () => {
    try {
      await stop();
    } finally {
      if (root !== undefined) await removeScratch(root);
    }
  });
  beforeEach(({ onTestFailed }) => {
    const [before, start] = [server, server?.log().length ?? 0];
    onTestFailed(() => {
      const log = server?.log().slice(server === before ? start : 0) ?? '';
      if (log !== '') process.stderr.write(`the registry's log during the failed test:\n${log.slice(-8192)}\n`);
    });
  });
  const request: TestRegistry['fetch'] = (path, init) =>
    fetch(`http://${running().host}/v2/${namespace}/${path}`, init);
  return {
    namespace,
    get root() {
      return madeRoot();
    },
    directory: (repository) => join(madeRoot(), namespace, repository),
    async start() {
      if (givenRegistry !== undefined) server = given(givenRegistry);
      else {
        const store = flags.includes('--memory') ? [] : ['--root', madeRoot()];
        server = await startRegistry(['--port', port, ...store, ...flags]);
        port = server.host.split(':').at(-1) ?? port;
      }
    },
    stop,
    get host() {
      return running().host;
    },
    reference: (name) => `${running().host}/${namespace}/${name}`,
    fetch: request,
    async manifest(repository, reference) {
      const headers = { accept: manifestTypes.join(', ') };
      const response = await request(`${repository}/manifests/${reference}`, { headers });
      const text = await response.text();
      if (!response.ok) throw new Error(`${response.url}: HTTP ${response.status}\n${text}`);
      const manifest = JSON.parse(text) as Partial<StoredManifest>;
      return { mediaType: '', layers: [], manifests: [], ...manifest, digest: sha256(text) };
    },
  };
}

function given(host: string): RunningRegistry {
  return { host, log: () => '', stop: async () => {} };
}

/** Resolves once the server has printed that it accepts connections. */
async function startRegistry(flags: readonly string[]): Promise<RunningRegistry> {
  const args = [command, 'serve', '--host', '127.0.0.1', ...flags];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const exited = once(child, 'exit').then(([code, signal]: unknown[]) => String(code ?? signal));
  const listening = new Promise<string>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      const host = /^ocikit listening on http:\/\/(\S+)\n/.exec(stdout)?.[1];
      if (host !== undefined) resolve(host);
    });
  });

  const outcome = await Promise.race([
    listening.then((host) => ({ host })),
    exited.then((exit) => ({ failure: `ended (${exit}) before it listened` })),
    delay(60_000, { failure: 'did not listen within 60 s' }, { ref: false }),
  ]);
  if ('failure' in outcome) {
    child.kill('SIGKILL');
    throw new Error(`ocikit serve ${outcome.failure}\n${stdout}${stderr}`);
  }

  return {
    host: outcome.host,
    log: () => stderr,
    async stop() {
      child.kill('SIGTERM');
      const exit = await Promise.race([exited, delay(15_000, 'still running after 15 s', { ref: false })]);
      if (exit === '0') return;
      child.kill('SIGKILL');
      throw new Error(`ocikit serve was asked to stop with SIGTERM: ${exit}\n${stderr.slice(-8192)}`);
    },
  };
}
