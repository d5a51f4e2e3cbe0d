// Docker as a client.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { afterAll } from 'vitest';

import { find, useClient } from './client.ts';
import type { ImageClient } from './client.ts';
import { locate } from './clients.ts';
import { filesBelow, unpack } from './images.ts';
import { run } from './run.ts';
import { givenRegistry } from './server.ts';

interface Daemon {
  /** The address of the daemon: `unix://…`. */
  readonly host: string;
  stop(): Promise<void>;
}

/**
 * Docker with its own daemon, which runs no containers and uses no network.
 *
 * @param flags further flags of the daemon
 */
export function useDocker(flags: () => readonly string[] = () => []): ImageClient {
  let daemon: Daemon | undefined;
  // Hooks after the tests run in reverse order: the daemon stops before its directory is removed.
  const client = useClient('docker', 'docker', async (directory) => {
    daemon = await startDaemon(directory, flags());
    // Use the classic builder: BuildKit is a plug-in in another package.
    return { env: { DOCKER_HOST: daemon.host, DOCKER_CONFIG: join(directory, 'config'), DOCKER_BUILDKIT: '0' } };
  });
  afterAll(async () => {
    await daemon?.stop();
  });

  const prepare: ImageClient['prepare'] = async (image, reference) => {
    await client.run('build', '--tag', reference, image.context);
    return client.invocation('push', reference);
  };
  return {
    ...client,
    prepare,
    async push(image, reference) {
      return find(/digest: (sha256:\w+)/, await run(...(await prepare(image, reference))));
    },
    async pull(reference, ...options) {
      await client.run('image', 'prune', '--all', '--force');
      const digest = find(/Digest: (sha256:\w+)/, await client.run('pull', ...options, reference));
      const archive = client.newPath();
      await client.run('save', '--output', archive, reference);
      return { digest, files: await filesInArchive(archive, client.newPath(), client.newPath()) };
    },
  };
}

/** `docker save` writes a tar of tars; its manifest.json lists the layers. */
async function filesInArchive(archive: string, unpacked: string, target: string): ReturnType<typeof filesBelow> {
  await unpack([archive], unpacked);
  const manifest = JSON.parse(await readFile(join(unpacked, 'manifest.json'), 'utf8')) as { Layers: string[] }[];
  const layers = manifest.flatMap((image) => image.Layers.map((layer) => join(unpacked, layer)));
  await unpack(layers, target);
  return filesBelow(target);
}

async function startDaemon(directory: string, flags: readonly string[]): Promise<Daemon> {
  const host = `unix://${join(directory, 'docker.sock')}`;
  const logFile = join(directory, 'dockerd.log');
  const executionRoot = join(directory, 'exec');
  await mkdir(executionRoot);
  const log = await open(logFile, 'w');
  const child = spawn(
    (await locate('dockerd')) ?? 'dockerd',
    [
      ['--host', host],
      ['--data-root', join(directory, 'data')],
      ['--exec-root', executionRoot],
      ['--pidfile', join(directory, 'dockerd.pid')],
      ['--storage-driver', 'vfs'],
      ['--bridge', 'none'],
      ['--iptables=false', '--ip6tables=false'],
      // Docker allows HTTP on the loopback interface without configuration.
      givenRegistry === undefined ? [] : ['--insecure-registry', givenRegistry],
      flags,
    ].flat(),
    { stdio: ['ignore', log.fd, log.fd] },
  );
  const exited = once(child, 'exit');
  await log.close();

  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const end = await Promise.race([exited, delay(30_000, undefined, { ref: false })]);
    if (end !== undefined) return;
    child.kill('SIGKILL');
    // The daemon cannot stop its containerd any more.
    process.kill(Number(await readFile(join(executionRoot, 'containerd', 'containerd.pid'), 'utf8')), 'SIGKILL');
  };

  for (let attempt = 0; attempt < 300; attempt += 1) {
    if (child.exitCode !== null) throw new Error(`dockerd ended: ${child.exitCode}\n${await tail(logFile)}`);
    if (await answers(host)) return { host, stop };
    await delay(100);
  }
  await stop();
  throw new Error(`dockerd did not answer within 30 s\n${await tail(logFile)}`);
}

async function answers(host: string): Promise<boolean> {
  try {
    await run((await locate('docker')) ?? 'docker', ['--host', host, 'version'], { timeout: 10_000 });
    return true;
  } catch {
    return false;
  }
}

async function tail(file: string): Promise<string> {
  return (await readFile(file, 'utf8')).slice(-8192);
}
