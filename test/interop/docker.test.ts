import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { find } from './client.ts';
import { describeWith } from './clients.ts';
import { useDocker } from './docker.ts';
import { makeImage } from './images.ts';
import type { Image } from './images.ts';
import { useScratch } from './scratch.ts';
import { useRegistry } from './server.ts';

describeWith(['docker'], 'docker', () => {
  const registry = useRegistry();
  const scratch = useScratch();
  const docker = useDocker();

  describe('with an image that it has pushed', () => {
    let image: Image;
    let digest: string;
    beforeAll(async () => {
      image = await makeImage(scratch.newPath(), { 'hello.txt': 'docker\n', 'data.bin': { randomBytes: 100_000 } });
      digest = await docker.push(image, registry.reference('app:1'));
    });

    test('finds the layer there when it pushes the image again, and gets the same digest', async () => {
      const again = await docker.run('push', registry.reference('app:1'));
      expect(again.stdout).toContain('Layer already exists');
      expect(again.stdout).not.toContain('Pushed');
      expect(find(/digest: (sha256:\w+)/, again)).toBe(digest);
    });

    test('mounts the layer when it pushes the image to another repository', async () => {
      await docker.run('tag', registry.reference('app:1'), registry.reference('other:1'));
      const pushed = await docker.run('push', registry.reference('other:1'));
      expect(pushed.stdout).toContain(`Mounted from ${registry.namespace}/app`);
      expect(await docker.pull(registry.reference('other:1'))).toEqual({ digest, files: image.files });
    });

    test('is told that a tag is unknown', async () => {
      const { stderr } = await docker.runToFailure('pull', registry.reference('app:missing'));
      expect(stderr).toContain('manifest unknown');
    });

    test('is told that a repository is unknown', async () => {
      const { stderr } = await docker.runToFailure('pull', registry.reference('missing:1'));
      expect(stderr).toContain(`repository ${registry.reference('missing')} not found`);
    });
  });

  test('pushes and pulls all tags of a repository at once', async () => {
    const repository = registry.reference('tagged');
    const image = await makeImage(scratch.newPath(), { 'hello.txt': 'many tags\n' });
    const tags = ['1', '1.0', '1.0.0', 'latest'];
    for (const tag of tags) await docker.run('build', '--tag', `${repository}:${tag}`, image.context);
    await docker.run('push', '--all-tags', repository);

    await docker.run('image', 'prune', '--all', '--force');
    await docker.run('pull', '--all-tags', repository);
    const { stdout } = await docker.run('image', 'ls', '--format', '{{.Tag}}', repository);
    expect(stdout.trim().split('\n').toSorted()).toEqual(tags);
  });

  test('pushes and pulls an image of eight layers, several at a time', async () => {
    const files = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`${i}.bin`, { randomBytes: 200_000 }]));
    const image = await makeImage(scratch.newPath(), files);
    const copies = Object.keys(files).map((name) => `COPY files/${name} /`);
    await writeFile(join(image.context, 'Dockerfile'), ['FROM scratch', ...copies, 'CMD ["/none"]'].join('\n'));

    const digest = await docker.push(image, registry.reference('layers:1'));
    expect((await registry.manifest('layers', '1')).layers).toHaveLength(8);
    expect(await docker.pull(registry.reference('layers:1'))).toEqual({ digest, files: image.files });
  });

  test('pushes a manifest list, and pulls the image of the platform that it is asked for', async () => {
    const list = registry.reference('multi:1');
    const images: Record<string, Image> = {};
    for (const architecture of ['amd64', 'arm64']) {
      const image = await makeImage(scratch.newPath(), { 'platform.txt': architecture });
      images[architecture] = image;
      const reference = registry.reference(`multi:${architecture}`);
      await docker.run('build', '--platform', `linux/${architecture}`, '--tag', reference, image.context);
      await docker.run('push', reference);
      await docker.run('manifest', 'create', '--insecure', '--amend', list, reference);
      await docker.run('manifest', 'annotate', '--os', 'linux', '--arch', architecture, list, reference);
    }
    await docker.run('manifest', 'push', list);

    for (const [architecture, image] of Object.entries(images)) {
      const { files } = await docker.pull(list, '--platform', `linux/${architecture}`);
      expect(files).toEqual(image.files);
    }
  });
});
