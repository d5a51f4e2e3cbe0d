// Small content that is stored without a stage: what is on disk when the call returns, and after a failure.
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { temporaryDirectory } from '../../../../test/temporary-directory.ts';
import { digestOf } from '../../../model/index.ts';
import type { Digest } from '../../../model/index.ts';
import { blobOf, imageOf, pushContent } from '../../../testing/index.ts';

import { openLayouts } from '../index.ts';
import type { LayoutRegistry } from '../index.ts';

const first = blobOf('the first blob of the repository, which makes its directories');

async function open(durability: 'fsync' | 'none'): Promise<{ root: string; registry: LayoutRegistry }> {
  const root = await temporaryDirectory();
  const registry = openLayouts(root, { durability });
  await registry.pushBlob('app', first.descriptor, first.bytes);
  return { root, registry };
}

const pathOf = (root: string, digest: Digest): string => join(root, 'app', 'blobs', ...digest.split(':'));

/** The files that have no final name. */
async function unfinished(root: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of ['tmp', 'uploads']) found.push(...(await readdir(join(root, '.ocikit', name)).catch(() => [])));
  return found;
}

describe.each(['fsync', 'none'] as const)('a small blob, with durability %s', (durability) => {
  const { bytes, descriptor } = blobOf('small');
  const { digest } = descriptor;

  test.each(['a push', 'an upload'])('of %s is in its file when the call returns, and nothing else is', async (how) => {
    const { root, registry } = await open(durability);
    if (how === 'a push') await registry.pushBlob('app', descriptor, bytes);
    else await (await registry.startUpload('app')).commit(digest, { source: bytes, size: bytes.length });
    expect(await readFile(pathOf(root, digest))).toEqual(Buffer.from(bytes));
    expect((await stat(pathOf(root, digest))).mode & 0o777).toBe(0o666 & ~process.umask() & 0o644);
    expect(await unfinished(root)).toEqual([]);
    expect((await registry.resolveBlob('app', digest)).size).toBe(bytes.length);
    await registry.close();
  });

  test('replaces a damaged file', async () => {
    const { root, registry } = await open(durability);
    await writeFile(pathOf(root, digest), 'wrong');
    await registry.pushBlob('app', descriptor, bytes);
    expect(await readFile(pathOf(root, digest))).toEqual(Buffer.from(bytes));
    await registry.close();
  });

  test('is stored although another process has removed the directories of temporary files and of blobs', async () => {
    const { root, registry } = await open(durability);
    await registry.pushBlob('app', blobOf('another').descriptor, blobOf('another').bytes);
    await rm(join(root, '.ocikit', 'tmp'), { recursive: true });
    await rm(dirname(pathOf(root, digest)), { recursive: true });
    await registry.pushBlob('app', descriptor, bytes);
    expect(await readFile(pathOf(root, digest))).toEqual(Buffer.from(bytes));
    expect((await stat(join(root, '.ocikit', 'tmp'))).mode & 0o077).toBe(0);
    await registry.close();
  });

  test.each(['a push', 'an upload'])(
    'of %s that cannot get its name leaves nothing and can be sent again',
    async (how) => {
      const { root, registry } = await open(durability);
      await mkdir(join(pathOf(root, digest), 'in the way'), { recursive: true });
      const upload = await registry.startUpload('app');
      const send = async (): Promise<unknown> =>
        how === 'a push' ? registry.pushBlob('app', descriptor, bytes) : upload.commit(digest, { source: bytes });
      await expect(send()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      expect(await unfinished(root)).toEqual([]);
      await rm(pathOf(root, digest), { recursive: true });
      // With a sync, the journal has to be replaced first.
      await expect
        .poll(() =>
          send().then(
            () => 'stored',
            () => 'failed',
          ),
        )
        .toBe('stored');
      expect(await readFile(pathOf(root, digest))).toEqual(Buffer.from(bytes));
      await registry.close();
    },
  );

  test('with wrong bytes or a wrong size is refused, and its upload can be committed then', async () => {
    const { root, registry } = await open(durability);
    const upload = await registry.startUpload('app');
    const wrong = digestOf(new Uint8Array(9));
    await expect(upload.commit(wrong, { source: bytes })).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
    await expect(upload.commit(digest, { source: bytes, size: 3 })).rejects.toMatchObject({ code: 'SIZE_INVALID' });
    await expect(upload.commit(digest, { source: bytes, at: 3 })).rejects.toMatchObject({ code: 'RANGE_INVALID' });
    await expect(registry.pushBlob('app', { digest: wrong }, bytes)).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
    await expect(registry.pushBlob('app', { digest, size: 3 }, bytes)).rejects.toMatchObject({ code: 'SIZE_INVALID' });
    expect(await unfinished(root)).toEqual([]);
    await upload.commit(digest, { source: bytes });
    await expect(upload.commit(digest, { source: bytes })).rejects.toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN' });
    await registry.close();
  });

  test('follows the bytes that its upload has already', async () => {
    const { registry } = await open(durability);
    const upload = await registry.startUpload('app');
    await upload.append(bytes.subarray(0, 2));
    await upload.commit(digest, { source: bytes.subarray(2), at: 2 });
    expect(await (await registry.getBlob('app', digest)).bytes()).toEqual(new Uint8Array(bytes));
    await registry.close();
  });

  test('is missing as soon as it is deleted, also if it was looked at in the same turn', async () => {
    const { registry } = await open(durability);
    await registry.pushBlob('app', descriptor, bytes);
    const deleting = registry.deleteBlob('app', digest);
    await registry.resolveBlob('app', digest);
    await deleting;
    await expect(registry.resolveBlob('app', digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    await registry.close();
  });

  test('that is a manifest as well stays when the manifest is deleted', async () => {
    const { root, registry } = await open(durability);
    const image = imageOf();
    const { digest: manifest } = image.descriptor;
    await pushContent(registry, 'app', image, { tags: ['v1'] });
    await registry.pushBlob('app', { digest: manifest }, image.bytes);
    await registry.deleteManifest('app', manifest);
    expect((await registry.resolveBlob('app', manifest)).size).toBe(image.bytes.length);
    expect(await unfinished(root)).toEqual([]);
    await registry.close();
  });
});
