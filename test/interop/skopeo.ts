// skopeo as a client.
import { readFile } from 'node:fs/promises';

import { useClient } from './client.ts';
import type { ImageClient } from './client.ts';
import { filesBelow, unpackLayout } from './images.ts';
import { run } from './run.ts';

/** skopeo, which uses HTTP without TLS. */
export function useSkopeo(): ImageClient {
  const client = useClient('skopeo', 'skopeo', (directory) => ({
    args: ['--insecure-policy', '--tmpdir', directory],
    env: { XDG_RUNTIME_DIR: directory },
  }));

  return {
    ...client,
    prepare: (image, reference) =>
      Promise.resolve(
        client.invocation('copy', '--dest-tls-verify=false', `oci:${image.layout}:image`, `docker://${reference}`),
      ),
    async push(image, reference) {
      const digestFile = client.newPath();
      const [command, args, options] = await this.prepare(image, reference);
      await run(command, [...args, '--digestfile', digestFile], options);
      return readFile(digestFile, 'utf8');
    },
    async pull(reference, ...options) {
      const [layout, target] = [client.newPath(), client.newPath()];
      await client.run('copy', '--src-tls-verify=false', ...options, `docker://${reference}`, `oci:${layout}`);
      await unpackLayout(layout, target);
      const inspect = ['inspect', '--tls-verify=false', '--format', '{{.Digest}}', `docker://${reference}`];
      const { stdout: digest } = await client.run(...inspect);
      return { digest: digest.trim(), files: await filesBelow(target) };
    },
  };
}
