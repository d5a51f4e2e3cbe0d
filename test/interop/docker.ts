// Docker as a client.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll } from 'vitest';

import { startDocker } from '../../bench/daemons/docker.ts';
import { find, useClient } from './client.ts';
import type { ImageClient } from './client.ts';
import { locate } from './clients.ts';
import { filesBelow, unpack } from './images.ts';
import { run } from './run.ts';
import { givenRegistry } from './server.ts';

/**
 * Docker with its own daemon, which runs no containers and uses no network.
 *
 * @param flags further flags of the daemon
 */
export function useDocker(flags: () => readonly string[] = () => []): ImageClient {
  let daemon: Awaited<ReturnType<typeof startDocker>> | undefined;
  // Hooks after the tests run in reverse order: the daemon stops before its directory is removed.
  const client = useClient('docker', 'docker', async (directory) => {
    const docker = { file: (await locate('docker')) ?? 'docker', args: [] };
    const dockerd = { file: (await locate('dockerd')) ?? 'dockerd', args: [] };
    const insecure = givenRegistry === undefined ? [] : ['--insecure-registry', givenRegistry];
    daemon = await startDocker({ docker, dockerd, directory, storageDriver: 'vfs', flags: [...insecure, ...flags()] });
    // Use the classic builder: BuildKit is a plug-in in another package.
    return { env: { DOCKER_HOST: daemon.address, DOCKER_CONFIG: join(directory, 'config'), DOCKER_BUILDKIT: '0' } };
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
