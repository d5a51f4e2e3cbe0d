// crane as a client.
import { join } from 'node:path';

import { find, useClient } from './client.ts';
import type { ImageClient } from './client.ts';
import { filesBelow, unpack } from './images.ts';
import { run } from './run.ts';

/** crane, which uses HTTP without TLS. */
export function useCrane(): ImageClient {
  const client = useClient('crane', 'crane', (directory) => ({
    args: ['--insecure'],
    env: { DOCKER_CONFIG: join(directory, 'config') },
  }));

  return {
    ...client,
    prepare: (image, reference) => Promise.resolve(client.invocation('push', image.layout, reference)),
    async push(image, reference) {
      return find(/@(sha256:\w+)/, await run(...(await this.prepare(image, reference))));
    },
    async pull(reference, ...options) {
      const { stdout: digest } = await client.run('digest', ...options, reference);
      const [archive, target] = [client.newPath(), client.newPath()];
      await client.run('export', ...options, reference, archive);
      await unpack([archive], target);
      return { digest: digest.trim(), files: await filesBelow(target) };
    },
  };
}
