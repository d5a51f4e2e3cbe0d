import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, beforeEach } from 'vitest';

import { sha256 } from './images.ts';

const command = fileURLToPath(new URL('../../packages/cli/bin/ocikit.js', import.meta.url));

/** `OCIKIT_INTEROP_REGISTRY=host:port`: test the registry that runs there (plain HTTP), and start none. */
export const givenRegistry: string | undefined = process.env['OCIKIT_INTEROP_REGISTRY'];

interface RunningRegistry {
  readonly host: string;
  /** What it wrote to stderr so far. */
  log(): string;
  /** Sends SIGTERM, and fails unless it exits with 0. */
  stop(): Promise<void>;
}

/** The registry that the tests of one file, or of one `describe`, talk to. */
export interface TestRegistry {
  /** `host:port` */
  readonly host: string;
  /** What all its repositories' names begin with: no other test, or earlier run, has used it. */
  readonly namespace: string;
  /** `app:1` → `127.0.0.1:41234/interop-1f2e3d4c/app:1` */
  reference(name: string): string;
  /** A request of the tests' own: `fetch('app/manifests/1')` asks for `/v2/interop-1f2e3d4c/app/manifests/1`. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** What a tag or a digest of a repository is. */
  manifest(repository: string, reference: string): Promise<StoredManifest>;
}

export interface StoredManifest {
  /** Of the bytes that the registry has sent. */
  readonly digest: string;
  readonly mediaType: string;
  /** An image's; empty in an index. */
  readonly layers: readonly StoredDescriptor[];
  /** An index's; empty in an image. */
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
 * Starts `ocikit serve --memory` before the tests, and stops it after them, which fails if the server does not exit
 * with 0. A test that fails shows the end of the server's log.
 */
export function useRegistry(...flags: string[]): TestRegistry {
  const namespace = `interop-${randomBytes(4).toString('hex')}`;
  let server: RunningRegistry | undefined;
  const running = (): RunningRegistry => {
    if (server === undefined) throw new Error('the registry is started before the tests, not while they are collected');
    return server;
  };
  beforeAll(async () => {
    server = givenRegistry === undefined ? await startRegistry(flags) : given(givenRegistry);
  });
  beforeEach(({ onTestFailed }) => {
    const start = running().log().length;
    onTestFailed(() => {
      const log = running().log().slice(start);
      if (log !== '') process.stderr.write(`the registry's log during the failed test:\n${log.slice(-8192)}\n`);
    });
  });
  afterAll(async () => {
    await server?.stop();
  });
  const request: TestRegistry['fetch'] = (path, init) =>
    fetch(`http://${running().host}/v2/${namespace}/${path}`, init);
  return {
    namespace,
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

/** Resolves once the server has said that it accepts connections. */
async function startRegistry(flags: readonly string[]): Promise<RunningRegistry> {
  const args = [command, 'serve', '--memory', '--host', '127.0.0.1', '--port', '0', ...flags];
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
    delay(20_000, { failure: 'did not listen within 20 s' }, { ref: false }),
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
