import { beforeAll, describe, expect, test } from 'vitest';

import { describeWith } from './clients.ts';
import { useCrane } from './crane.ts';
import { makeImage, sha256 } from './images.ts';
import type { Image } from './images.ts';
import { useProxy } from './proxy.ts';
import { useScratch } from './scratch.ts';
import { useRegistry } from './server.ts';

describeWith(['crane'], 'crane', () => {
  const registry = useRegistry();
  const proxy = useProxy(registry);
  const scratch = useScratch();
  const crane = useCrane();
  let image: Image;
  beforeAll(async () => {
    image = await makeImage(scratch.newPath(), { 'hello.txt': 'crane\n', 'data.bin': { randomBytes: 1_000_000 } });
  });

  test('copies from repository to repository by mounting: no layer goes up, and none comes down', async () => {
    const [from, to] = [proxy.reference('from:1'), proxy.reference('to:1')];
    await crane.push(image, from);
    expect(proxy.passed('upload')).toBeGreaterThan(1_000_000);
    const before = { up: proxy.passed('upload'), down: proxy.passed('download') };
    const copied = await crane.run('copy', from, to);
    expect(copied.stderr).toContain('mounted blob');
    expect(proxy.passed('upload') - before.up).toBeLessThan(50_000);
    expect(proxy.passed('download') - before.down).toBeLessThan(50_000);
    expect(await crane.pull(to)).toEqual({ digest: image.digest, files: image.files });
  });

  test('copies all tags of a repository, and lists them', async () => {
    await crane.push(image, registry.reference('tagged:1'));
    for (const tag of ['1.0', 'latest']) await crane.run('tag', registry.reference('tagged:1'), tag);
    await crane.run('copy', '--all-tags', registry.reference('tagged'), registry.reference('tagged-copy'));
    const { stdout } = await crane.run('ls', registry.reference('tagged-copy'));
    expect(stdout).toBe('1\n1.0\nlatest\n');
  });

  test('appends a layer to an image, and the outcome is valid', async () => {
    const [base, extended] = [registry.reference('base:1'), registry.reference('extended:1')];
    const added = await makeImage(scratch.newPath(), { 'added.txt': 'on top\n' });
    await crane.push(image, base);
    await crane.run('append', '--base', base, '--new_layer', added.layer, '--new_tag', extended);
    await crane.run('validate', '--remote', extended);
    expect((await crane.pull(extended)).files).toEqual({ ...image.files, ...added.files });
  });

  test('reads a blob, a configuration and a manifest', async () => {
    const reference = registry.reference('read:1');
    await crane.push(image, reference);
    const manifest = await crane.run('manifest', reference);
    expect(sha256(manifest.stdout)).toBe(image.digest);
    const { config } = JSON.parse(manifest.stdout) as { config: { digest: string } };
    const read = await crane.run('config', reference);
    expect(sha256(read.stdout)).toBe(config.digest);
    const blob = await crane.run('blob', `${registry.reference('read')}@${config.digest}`);
    expect(blob.stdout).toBe(read.stdout);
  });

  test('pushes an index, copies it with its images, and resolves a platform in it', async () => {
    const platforms = ['linux/amd64', 'linux/arm64'];
    const digests: string[] = [];
    for (const platform of platforms) {
      const reference = registry.reference(`parts:${platform.replace('/', '-')}`);
      await crane.push(image, reference);
      await crane.run('mutate', '--set-platform', platform, '--tag', reference, reference);
      digests.push((await crane.run('digest', reference)).stdout.trim());
    }
    const parts = digests.flatMap((digest) => ['--manifest', `${registry.reference('parts')}@${digest}`]);
    await crane.run('index', 'append', ...parts, '--tag', registry.reference('index:1'));
    await crane.run('copy', registry.reference('index:1'), registry.reference('index-copy:1'));
    await crane.run('validate', '--remote', registry.reference('index-copy:1'));
    for (const [i, platform] of platforms.entries()) {
      const { stdout } = await crane.run('digest', '--platform', platform, registry.reference('index-copy:1'));
      expect(stdout.trim()).toBe(digests[i]);
    }
  });

  describe('with an image under two tags', () => {
    beforeAll(async () => {
      for (const tag of ['one', 'two']) await crane.push(image, registry.reference(`deleted:${tag}`));
    });

    test('deletes one tag: the other stays, and so does the image', async () => {
      await crane.run('delete', registry.reference('deleted:one'));
      expect((await crane.run('ls', registry.reference('deleted'))).stdout).toBe('two\n');
      expect((await crane.pull(registry.reference('deleted:two'))).files).toEqual(image.files);
    });

    test('deletes the image by its digest: no tag is left, and the image is unknown', async () => {
      const byDigest = `${registry.reference('deleted')}@${image.digest}`;
      await crane.run('delete', byDigest);
      const { stderr } = await crane.runToFailure('manifest', byDigest);
      expect(stderr).toContain('MANIFEST_UNKNOWN');
      // A repository without tags may be an empty list, or no repository any more.
      await expect(crane.run('ls', registry.reference('deleted'))).resolves.toMatchObject({ stdout: '' });
    });
  });
});
