import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { describeWith } from './clients.ts';
import { makeImage } from './images.ts';
import type { Image } from './images.ts';
import { useProxy } from './proxy.ts';
import { useScratch } from './scratch.ts';
import { useRegistry } from './server.ts';
import { useSkopeo } from './skopeo.ts';

const sourceOverHttp = '--src-tls-verify=false';
const targetOverHttp = '--dest-tls-verify=false';
const overHttp = '--tls-verify=false';

describeWith(['skopeo'], 'skopeo', () => {
  const registry = useRegistry();
  const proxy = useProxy(registry);
  const scratch = useScratch();
  const skopeo = useSkopeo();
  let image: Image;
  beforeAll(async () => {
    image = await makeImage(scratch.newPath(), { 'hello.txt': 'skopeo\n', 'data.bin': { randomBytes: 1_000_000 } });
  });

  test('copies from repository to repository by mounting: no layer goes up, and none comes down', async () => {
    const [from, to] = [proxy.reference('from:1'), proxy.reference('to:1')];
    await skopeo.push(image, from);
    expect(proxy.passed('upload')).toBeGreaterThan(1_000_000);
    const before = { up: proxy.passed('upload'), down: proxy.passed('download') };
    await skopeo.run('copy', sourceOverHttp, targetOverHttp, `docker://${from}`, `docker://${to}`);
    expect(proxy.passed('upload') - before.up).toBeLessThan(50_000);
    expect(proxy.passed('download') - before.down).toBeLessThan(50_000);
    expect(await skopeo.pull(to)).toEqual({ digest: image.digest, files: image.files });
  });

  for (const [format, mediaType] of [
    ['oci', 'application/vnd.oci.image.manifest.v1+json'],
    ['v2s2', 'application/vnd.docker.distribution.manifest.v2+json'],
  ] as const) {
    test(`pushes an image with --format ${format}, and pulls it again`, async () => {
      const reference = registry.reference(`format-${format}:1`);
      const [from, to] = [`oci:${image.layout}:image`, `docker://${reference}`];
      await skopeo.run('copy', targetOverHttp, '--format', format, from, to);
      expect((await registry.manifest(`format-${format}`, '1')).mediaType).toBe(mediaType);
      expect((await skopeo.pull(reference)).files).toEqual(image.files);
    });
  }

  test('reads the configuration, and the bytes of the manifest', async () => {
    await skopeo.push(image, registry.reference('inspected:1'));
    const inspected = `docker://${registry.reference('inspected:1')}`;
    const config = await skopeo.run('inspect', overHttp, '--config', inspected);
    expect(JSON.parse(config.stdout)).toMatchObject({ architecture: 'amd64', config: { Cmd: ['/none'] } });
    const raw = await skopeo.run('inspect', overHttp, '--raw', inspected);
    expect(JSON.parse(raw.stdout)).toMatchObject({ mediaType: 'application/vnd.oci.image.manifest.v1+json' });
  });

  test('syncs all tags of a repository to a directory, and from there to another repository', async () => {
    const tags = ['a', 'b', 'c'];
    for (const tag of tags) await skopeo.push(image, registry.reference(`synced:${tag}`));
    const directory = skopeo.newPath();
    await skopeo.run(
      'sync',
      sourceOverHttp,
      '--src',
      'docker',
      '--dest',
      'dir',
      registry.reference('synced'),
      directory,
    );
    expect((await readdir(directory)).toSorted()).toEqual(tags.map((tag) => `synced:${tag}`));

    const target = registry.reference('copies');
    for (const tag of tags) {
      const from = join(directory, `synced:${tag}`);
      await skopeo.run('copy', targetOverHttp, `dir:${from}`, `docker://${target}/synced:${tag}`);
    }
    const { stdout } = await skopeo.run('list-tags', overHttp, `docker://${target}/synced`);
    expect(JSON.parse(stdout)).toMatchObject({ Tags: tags });
  });

  describe('with an image under two tags', () => {
    beforeAll(async () => {
      for (const tag of ['one', 'two']) await skopeo.push(image, registry.reference(`deleted:${tag}`));
      await skopeo.run('delete', overHttp, `docker://${registry.reference('deleted:one')}`);
    });

    for (const reference of ['deleted:one', 'deleted:two']) {
      test(`deletes the manifest by a tag, after which ${reference} is unknown`, async () => {
        const { stderr } = await skopeo.runToFailure('inspect', overHttp, `docker://${registry.reference(reference)}`);
        expect(stderr).toContain('manifest unknown');
      });
    }

    test('pushes the image again after it has deleted it', async () => {
      await skopeo.push(image, registry.reference('deleted:three'));
      expect((await skopeo.pull(registry.reference('deleted:three'))).files).toEqual(image.files);
    });
  });
});
