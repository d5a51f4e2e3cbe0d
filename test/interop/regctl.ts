// regctl as a client.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { useClient } from './client.ts';
import type { ImageClient } from './client.ts';
import { filesBelow, unpackLayout } from './images.ts';
import { run } from './run.ts';

/** The configuration of a registry in regctl. */
export interface RegctlHost {
  /** Bytes above which regctl pushes a blob in chunks, and bytes of a chunk. */
  readonly blobMax?: number;
  readonly blobChunk?: number;
}

/** regctl, which uses HTTP without TLS. */
export function useRegctl(host: RegctlHost = {}): ImageClient {
  const client = useClient('regctl', 'regctl', async (directory) => {
    const config = join(directory, 'config.json');
    await writeFile(config, JSON.stringify({ hostDefault: { tls: 'disabled', ...host } }));
    return { env: { REGCTL_CONFIG: config, DOCKER_CONFIG: join(directory, 'config') } };
  });

  return {
    ...client,
    prepare: (image, reference) =>
      Promise.resolve(client.invocation('image', 'copy', `ocidir://${image.layout}:image`, reference)),
    async push(image, reference) {
      await run(...(await this.prepare(image, reference)));
      return client.run('image', 'digest', reference).then(({ stdout }) => stdout.trim());
    },
    async pull(reference, ...options) {
      const [layout, target] = [client.newPath(), client.newPath()];
      await client.run('image', 'copy', ...options, reference, `ocidir://${layout}:image`);
      await unpackLayout(layout, target);
      const { stdout: digest } = await client.run('image', 'digest', ...options, reference);
      return { digest: digest.trim(), files: await filesBelow(target) };
    },
  };
}
