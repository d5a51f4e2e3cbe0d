import { mkdir, readFile } from 'node:fs/promises';

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { describeWith } from './clients.ts';
import { makeImage, sha256 } from './images.ts';
import type { Image } from './images.ts';
import { useProxy } from './proxy.ts';
import { useRegctl } from './regctl.ts';
import { run } from './run.ts';
import { useScratch } from './scratch.ts';
import { useRegistry } from './server.ts';

describeWith(['regctl'], 'regctl', () => {
  const registry = useRegistry();
  const proxy = useProxy(registry);
  const scratch = useScratch();
  const regctl = useRegctl();
  const chunking = useRegctl({ blobMax: 100_000, blobChunk: 300_000 });
  let image: Image;
  beforeAll(async () => {
    image = await makeImage(scratch.newPath(), { 'hello.txt': 'regctl\n', 'data.bin': { randomBytes: 1_000_000 } });
  });

  /** Attaches an artifact with this content to a subject. */
  const attach = async (subject: string, artifactType: string, content: string): Promise<void> => {
    const [command, args, options] = regctl.invocation('artifact', 'put', '--artifact-type', artifactType);
    await run(command, [...args, '--subject', subject], { ...options, input: content });
  };
  const artifactTypes = async (subject: string, ...filter: string[]): Promise<string[]> => {
    const format = '{{range .Descriptors}}{{println .ArtifactType}}{{end}}';
    const { stdout } = await regctl.run('artifact', 'list', '--format', format, ...filter, subject);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .toSorted();
  };

  test('copies from repository to repository by mounting: no layer goes up, and none comes down', async () => {
    const [from, to] = [proxy.reference('from:1'), proxy.reference('to:1')];
    await regctl.push(image, from);
    expect(proxy.passed('upload')).toBeGreaterThan(1_000_000);
    const before = { up: proxy.passed('upload'), down: proxy.passed('download') };
    await regctl.run('image', 'copy', from, to);
    expect(proxy.passed('upload') - before.up).toBeLessThan(50_000);
    expect(proxy.passed('download') - before.down).toBeLessThan(50_000);
    expect(await regctl.pull(to)).toEqual({ digest: image.digest, files: image.files });
  });

  test('pushes a layer in four chunks', async () => {
    await chunking.push(image, registry.reference('chunked:1'));
    expect(await regctl.pull(registry.reference('chunked:1'))).toEqual({ digest: image.digest, files: image.files });
  });

  test('puts a blob, gets it, and deletes it', async () => {
    const repository = registry.reference('blobs');
    const content = 'a blob\n'.repeat(1000);
    const [command, args, options] = regctl.invocation('blob', 'put', repository);
    const put = await run(command, args, { ...options, input: content });
    const digest = put.stdout.trim();
    expect(digest).toBe(sha256(content));
    expect((await regctl.run('blob', 'get', repository, digest)).stdout).toBe(content);
    await regctl.run('blob', 'delete', repository, digest);
    expect((await regctl.runToFailure('blob', 'get', repository, digest)).stderr).toContain('not found');
  });

  test('reads one file of an image', async () => {
    await regctl.push(image, registry.reference('read:1'));
    const { stdout } = await regctl.run('image', 'get-file', registry.reference('read:1'), '/hello.txt');
    expect(stdout).toBe('regctl\n');
  });

  test('exports an image to a tar, and imports it into another repository', async () => {
    const archive = regctl.newPath();
    await regctl.push(image, registry.reference('exported:1'));
    await regctl.run('image', 'export', registry.reference('exported:1'), archive);
    await regctl.run('image', 'import', registry.reference('imported:1'), archive);
    expect(await regctl.pull(registry.reference('imported:1'))).toEqual({ digest: image.digest, files: image.files });
  });

  test('makes an index of two images, adds a third, and copies it with its images', async () => {
    const parts: string[] = [];
    for (const platform of ['linux/amd64', 'linux/arm64', 'linux/riscv64']) {
      const part = registry.reference(`index:${platform.replace('/', '-')}`);
      parts.push(part);
      await regctl.run('image', 'create', '--platform', platform, part);
    }
    const [first = '', second = '', third = ''] = parts;
    await regctl.run('index', 'create', registry.reference('index:all'), '--ref', first, '--ref', second);
    await regctl.run('index', 'add', registry.reference('index:all'), '--ref', third);
    await regctl.run('image', 'copy', registry.reference('index:all'), registry.reference('index-copy:all'));
    for (const part of parts) {
      const { stdout } = await regctl.run('image', 'digest', part);
      expect((await registry.manifest('index-copy', stdout.trim())).digest).toBe(stdout.trim());
    }
    expect((await registry.manifest('index-copy', 'all')).manifests).toHaveLength(3);
  });

  describe('with an image under two tags', () => {
    beforeEach(async () => {
      for (const tag of ['one', 'two']) await regctl.push(image, registry.reference(`deleted:${tag}`));
    });

    test('deletes one tag: the other stays, and so does the image', async () => {
      await regctl.run('tag', 'delete', registry.reference('deleted:one'));
      expect((await regctl.run('tag', 'ls', registry.reference('deleted'))).stdout).toBe('two\n');
      await regctl.run('tag', 'delete', registry.reference('deleted:two'));
      const byDigest = `${registry.reference('deleted')}@${image.digest}`;
      expect((await regctl.pull(byDigest)).files).toEqual(image.files);
    });

    test('deletes the image by its digest: neither tag is left', async () => {
      await regctl.run('manifest', 'delete', `${registry.reference('deleted')}@${image.digest}`);
      for (const tag of ['one', 'two']) {
        const { stderr } = await regctl.runToFailure('manifest', 'get', registry.reference(`deleted:${tag}`));
        expect(stderr).toContain('not found');
      }
    });
  });

  describe('with artifacts that it has attached to an image', () => {
    const sbom = 'application/spdx+json';
    const signature = 'application/vnd.example.signature';
    beforeAll(async () => {
      await regctl.push(image, registry.reference('subject:1'));
      await attach(registry.reference('subject:1'), sbom, '{"spdxVersion":"SPDX-2.3"}');
      await attach(registry.reference('subject:1'), signature, 'signed');
    });

    test('lists them as referrers', async () => {
      expect(await artifactTypes(registry.reference('subject:1'))).toEqual([sbom, signature]);
    });

    test('lists those of one artifact type', async () => {
      expect(await artifactTypes(registry.reference('subject:1'), '--filter-artifact-type', sbom)).toEqual([sbom]);
    });

    test('gets the content of one', async () => {
      const subject = ['--subject', registry.reference('subject:1'), '--filter-artifact-type', signature];
      expect((await regctl.run('artifact', 'get', ...subject)).stdout).toBe('signed');
    });

    test('leaves no tag behind for registries without the referrers API', async () => {
      expect((await regctl.run('tag', 'ls', registry.reference('subject'))).stdout).toBe('1\n');
    });

    test('copies them together with the image', async () => {
      const copy = registry.reference('subject-copy:1');
      await regctl.run('image', 'copy', '--referrers', registry.reference('subject:1'), copy);
      expect(await artifactTypes(copy)).toEqual([sbom, signature]);
    });

    test('lists one less after it has deleted one', async () => {
      const subject = registry.reference('subject:1');
      const format = '{{range .Descriptors}}{{println .Digest}}{{end}}';
      const filter = ['--filter-artifact-type', signature];
      const { stdout } = await regctl.run('artifact', 'list', '--format', format, ...filter, subject);
      await regctl.run('manifest', 'delete', `${registry.reference('subject')}@${stdout.trim()}`);
      expect(await artifactTypes(subject)).toEqual([sbom]);
    });
  });

  test('pushes an artifact of a file, and gets the file back', async () => {
    const reference = registry.reference('artifact:1');
    const file = `${image.context}/files/data.bin`;
    const type = ['--artifact-type', 'application/vnd.example.data', '--file-media-type', 'application/octet-stream'];
    await regctl.run('artifact', 'put', ...type, '--file', file, '--file-title', '--strip-dirs', reference);
    const target = regctl.newPath();
    await mkdir(target);
    await regctl.run('artifact', 'get', '--output', target, reference);
    expect(sha256(await readFile(`${target}/data.bin`))).toBe(image.files['data.bin']);
  });
});
