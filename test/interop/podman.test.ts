import { beforeAll, describe, expect, test } from 'vitest';

import { describeWith } from './clients.ts';
import { filesBelow, makeImage } from './images.ts';
import type { Image } from './images.ts';
import { useBuildah, usePodman } from './podman.ts';
import { useProxy } from './proxy.ts';
import { useScratch } from './scratch.ts';
import { useRegistry } from './server.ts';

const overHttp = '--tls-verify=false';

describeWith(['podman'], 'podman', () => {
  const registry = useRegistry();
  const proxy = useProxy(registry);
  const scratch = useScratch();
  const podman = usePodman();
  let image: Image;
  beforeAll(async () => {
    image = await makeImage(scratch.newPath(), { 'hello.txt': 'podman\n', 'data.bin': { randomBytes: 500_000 } });
  });

  for (const [format, mediaType] of [
    ['oci', 'application/vnd.oci.image.manifest.v1+json'],
    ['v2s2', 'application/vnd.docker.distribution.manifest.v2+json'],
  ] as const) {
    test(`pushes an image with --format ${format}, and pulls it again`, async () => {
      const reference = registry.reference(`format-${format}:1`);
      await podman.prepare(image, reference);
      await podman.run('push', overHttp, '--format', format, reference);
      expect((await registry.manifest(`format-${format}`, '1')).mediaType).toBe(mediaType);
      expect((await podman.pull(reference)).files).toEqual(image.files);
    });
  }

  test('pushes layers that are compressed with zstd, and pulls them again', async () => {
    const reference = registry.reference('zstd:1');
    const unknown = await makeImage(scratch.newPath(), { 'zstd.txt': 'compressed with zstd\n'.repeat(1000) });
    await podman.prepare(unknown, reference);
    await podman.run('push', overHttp, '--format', 'oci', '--compression-format', 'zstd', reference);
    const { layers } = await registry.manifest('zstd', '1');
    expect(layers.map((layer) => layer.mediaType)).toEqual(['application/vnd.oci.image.layer.v1.tar+zstd']);
    expect((await podman.pull(reference)).files).toEqual(unknown.files);
  });

  test('sends no layer when it pushes an image again, or to another repository', async () => {
    await podman.push(image, proxy.reference('first:1'));
    expect(proxy.passed('upload')).toBeGreaterThan(500_000);
    const before = proxy.passed('upload');
    await podman.run('tag', proxy.reference('first:1'), proxy.reference('second:1'));
    await podman.run('push', overHttp, proxy.reference('first:1'));
    await podman.run('push', overHttp, proxy.reference('second:1'));
    expect(proxy.passed('upload') - before).toBeLessThan(50_000);
    expect((await podman.pull(proxy.reference('second:1'))).files).toEqual(image.files);
  });

  describe('with an index of images for two platforms that it has pushed', () => {
    const images = new Map<string, Image>();
    beforeAll(async () => {
      for (const architecture of ['amd64', 'arm64']) {
        const built = await makeImage(scratch.newPath(), { 'platform.txt': architecture });
        images.set(architecture, built);
        const platform = ['--platform', `linux/${architecture}`, '--manifest', 'multi'];
        await podman.run('build', '--isolation', 'chroot', ...platform, built.context);
      }
      await podman.run('manifest', 'push', '--all', overHttp, 'multi', `docker://${registry.reference('multi:1')}`);
    });

    for (const architecture of ['amd64', 'arm64']) {
      test(`pulls the image for ${architecture}`, async () => {
        const { files } = await podman.pull(registry.reference('multi:1'), '--arch', architecture);
        expect(files).toEqual(images.get(architecture)?.files);
      });
    }
  });

  test('finds repositories by name, and lists their tags', async () => {
    await podman.prepare(image, 'local');
    for (const name of ['found/one:1', 'found/one:2', 'found/two:1']) {
      await podman.run('push', overHttp, 'local', registry.reference(name));
    }
    const found = await podman.run('search', overHttp, '--format', '{{.Name}}', registry.reference('found'));
    expect(found.stdout.trim().split('\n').toSorted()).toEqual([
      registry.reference('found/one'),
      registry.reference('found/two'),
    ]);
    const tags = await podman.run('search', '--list-tags', overHttp, registry.reference('found/one'));
    expect(tags.stdout.match(/\S+$/gm)?.toSorted()).toEqual(['1', '2', 'TAG']);
  });

  test('is told that a tag is unknown', async () => {
    const { stderr } = await podman.runToFailure('pull', overHttp, registry.reference('format-oci:missing'));
    expect(stderr).toContain('manifest unknown');
  });
});

describeWith(['buildah'], 'buildah', () => {
  const registry = useRegistry();
  const proxy = useProxy(registry);
  const scratch = useScratch();
  const buildah = useBuildah();

  /** Adds the files of a directory to an image, and pushes the result. */
  const extend = async (base: string, image: Image, reference: string): Promise<void> => {
    const from = await buildah.run('from', overHttp, base);
    const container = from.stdout.trim();
    await buildah.run('add', container, `${image.context}/files`, '/');
    await buildah.run('commit', '--rm', container, reference);
    await buildah.run('push', overHttp, reference);
  };
  const filesOf = async (reference: string): ReturnType<typeof filesBelow> => {
    const { stdout: container } = await buildah.run('from', '--pull-always', overHttp, reference);
    const { stdout: mounted } = await buildah.run('mount', container.trim());
    return filesBelow(mounted.trim());
  };

  test('builds on an image in the registry, and sends only the layer that it has added', async () => {
    const base = await makeImage(scratch.newPath(), { 'base.bin': { randomBytes: 1_000_000 } });
    const app = await makeImage(scratch.newPath(), { 'app.txt': 'on top\n' });
    await extend('scratch', base, proxy.reference('base:1'));
    expect(proxy.passed('upload')).toBeGreaterThan(1_000_000);
    await buildah.run('rmi', '--all', '--force');

    const before = proxy.passed('upload');
    await extend(proxy.reference('base:1'), app, proxy.reference('app:1'));
    expect(proxy.passed('upload') - before).toBeLessThan(50_000);
    await buildah.run('rmi', '--all', '--force');
    expect(await filesOf(proxy.reference('app:1'))).toEqual({ ...base.files, ...app.files });
  });

  test('pushes an index made of images that are in the registry, without sending them again', async () => {
    const images = ['one', 'two'];
    for (const name of images) {
      const image = await makeImage(scratch.newPath(), { [name]: { randomBytes: 500_000 } });
      await extend('scratch', image, proxy.reference(`parts:${name}`));
    }
    const before = proxy.passed('upload');
    await buildah.run('manifest', 'create', 'whole');
    for (const name of images) {
      await buildah.run('manifest', 'add', overHttp, 'whole', `docker://${proxy.reference(`parts:${name}`)}`);
    }
    await buildah.run('manifest', 'push', '--all', overHttp, 'whole', `docker://${proxy.reference('parts:whole')}`);
    expect(proxy.passed('upload') - before).toBeLessThan(50_000);

    const parts = await Promise.all(images.map((name) => registry.manifest('parts', name)));
    const whole = await registry.manifest('parts', 'whole');
    expect(whole.manifests.map(({ digest }) => digest)).toEqual(parts.map(({ digest }) => digest));
  });
});
