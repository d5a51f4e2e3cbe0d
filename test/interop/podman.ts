// Podman and buildah as clients.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { useClient } from './client.ts';
import type { Client, ImageClient } from './client.ts';
import { filesBelow } from './images.ts';
import { run } from './run.ts';

/** Podman with its own storage. It uses HTTP without TLS. */
export function usePodman(): ImageClient {
  const client = useClient('podman', 'podman', (directory) => ({
    args: [...storage(directory), '--cgroup-manager', 'cgroupfs', '--events-backend', 'none'],
    env: environment(directory),
  }));

  return {
    ...client,
    async prepare(image, reference) {
      await client.run('build', '--isolation', 'chroot', '--tag', reference, image.context);
      return client.invocation('push', '--tls-verify=false', reference);
    },
    async push(image, reference) {
      const digestFile = client.newPath();
      const [command, args, options] = await this.prepare(image, reference);
      await run(command, [...args, '--digestfile', digestFile], options);
      return readFile(digestFile, 'utf8');
    },
    async pull(reference, ...options) {
      await client.run('rmi', '--all', '--force');
      await client.run('pull', '--quiet', '--tls-verify=false', ...options, reference);
      const { stdout: digest } = await client.run('image', 'inspect', '--format', '{{.Digest}}', reference);
      const { stdout: mounted } = await client.run('image', 'mount', reference);
      const files = await filesBelow(mounted.trim());
      await client.run('image', 'umount', reference);
      return { digest: digest.trim(), files };
    },
  };
}

/** buildah with its own storage. */
export function useBuildah(): Client {
  return useClient('buildah', 'buildah', (directory) => ({
    args: storage(directory),
    env: { ...environment(directory), BUILDAH_ISOLATION: 'chroot' },
  }));
}

function storage(directory: string): string[] {
  const [root, runRoot] = [join(directory, 'storage'), join(directory, 'run')];
  return ['--root', root, '--runroot', runRoot, '--storage-driver', 'vfs'];
}

/** An environment without the user's credentials, and without temporary files in /var/tmp. */
function environment(directory: string): Record<string, string> {
  return { TMPDIR: directory, XDG_RUNTIME_DIR: directory };
}
