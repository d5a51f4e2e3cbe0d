import { mkdir, readdir, readFile, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { beforeEach, describe, expect, test } from 'vitest';

import { digestOf, RegistryError, splitDigest } from '../../model/index.ts';
import type { Digest } from '../../model/index.ts';
import { temporaryDirectory } from '../../../test/temporary-directory.ts';

import type { BlobStage, BlobStore } from './blob-store.ts';
import { diskBlobs } from './disk-blobs.ts';

const bytes = new TextEncoder().encode('hello, world');
const digest = digestOf(bytes);

let parent: string;
let dir: string;
let blobs: Required<BlobStore>;

beforeEach(async () => {
  parent = await temporaryDirectory();
  dir = join(parent, 'blobs');
  blobs = diskBlobs(dir) as Required<BlobStore>;
});

const pathOf = (of: Digest): string => join(dir, splitDigest(of).algorithm, splitDigest(of).encoded);

async function* once(...pieces: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

/** Puts a file where another program would. */
async function placeFile(of: Digest, content: Uint8Array): Promise<void> {
  await mkdir(join(pathOf(of), '..'), { recursive: true });
  await writeFile(pathOf(of), content);
}

/** Everything under the directory, with directories marked; undefined if it does not exist. */
async function tree(): Promise<string[] | undefined> {
  try {
    const entries = await readdir(dir, { recursive: true, withFileTypes: true });
    return entries
      .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1) + (entry.isDirectory() ? '/' : ''))
      .toSorted();
  } catch {
    return undefined;
  }
}

const uploads = async (): Promise<string[]> => readdir(join(dir, '.uploads')).catch(() => []);

describe('a directory of blobs', () => {
  test('is not created before the first write', async () => {
    await expect(blobs.get('a', digest, {})).rejects.toMatchObject({ code: 'BLOB_UNKNOWN', detail: { digest } });
    await expect(blobs.stat('a', digest, {})).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    await expect(blobs.delete('a', digest, {})).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    const stage = blobs.stage('a');
    await stage.truncate(0);
    await stage.release();
    await stage.discard();
    expect(await readdir(parent)).toEqual([]);
  });

  test('has a blob as the file <algorithm>/<encoded>, and nothing else', async () => {
    await blobs.put('a', { digest }, once(bytes.slice(0, 5), bytes.slice(5)), {});
    const sha512 = digestOf(bytes, 'sha512');
    await blobs.put('a', { digest: sha512 }, once(bytes), {});
    expect(await tree()).toEqual(
      ['.uploads/', 'sha256/', digest.replace(':', '/'), 'sha512/', sha512.replace(':', '/')].toSorted(),
    );
    expect(new Uint8Array(await readFile(pathOf(digest)))).toEqual(bytes);
  });

  test('gives a blob back, whole or in part, whatever the repository', async () => {
    await blobs.put('a', { digest }, once(bytes), {});
    const content = await blobs.get('b', digest, {});
    expect(content.descriptor).toEqual({ mediaType: 'application/octet-stream', digest, size: 12 });
    expect(content.form).toBe('buffer');
    expect(await content.bytes()).toEqual(bytes);
    for (const range of [{ start: 2, end: 7 }, { start: 2 }, { last: 3 }, { start: 5, end: 500 }]) {
      const part = await blobs.get('a', digest, { range });
      expect(await part.bytes()).toEqual(bytes.slice(part.range.start, part.range.end));
    }
    expect(await blobs.stat('b', digest, {})).toEqual({ size: 12 });
  });

  test('gives a large blob back', async () => {
    const large = Uint8Array.from({ length: 1_500_000 }, (_, i) => i % 251);
    const pieces = Array.from({ length: 24 }, (_, i) => large.slice(i * 65_536, (i + 1) * 65_536));
    await blobs.put('a', { digest: digestOf(large) }, once(...pieces), {});
    expect(Buffer.compare(await (await blobs.get('a', digestOf(large), {})).bytes(), large)).toBe(0);
  });

  test('may hold a blob of no bytes', async () => {
    const none = digestOf(new Uint8Array());
    await blobs.put('a', { digest: none }, once(), {});
    expect(await blobs.stat('a', none, {})).toEqual({ size: 0 });
    expect(await (await blobs.get('a', none, {})).bytes()).toHaveLength(0);
    expect(await uploads()).toEqual([]);
  });

  test('shows a blob only when it is whole', async () => {
    const seen: unknown[] = [];
    async function* watched(): AsyncGenerator<Uint8Array> {
      yield bytes.slice(0, 5);
      seen.push(await blobs.stat('a', digest, {}).catch((error: unknown) => (error as RegistryError).code));
      seen.push((await uploads()).length);
      yield bytes.slice(5);
    }
    await blobs.put('a', { digest }, watched(), {});
    expect(seen).toEqual(['BLOB_UNKNOWN', 1]);
    expect(await blobs.stat('a', digest, {})).toEqual({ size: 12 });
    expect(await uploads()).toEqual([]);
  });

  test('keeps nothing of a blob whose content fails, and passes the error on', async () => {
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield bytes;
      throw new RegistryError('DIGEST_INVALID', 'other bytes');
    };
    await expect(blobs.put('a', { digest }, failing(), {})).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
    expect(await uploads()).toEqual([]);
    await expect(blobs.stat('a', digest, {})).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
  });

  test('keeps the blob that it has when writing it again fails', async () => {
    await blobs.put('a', { digest }, once(bytes), {});
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield Uint8Array.of(0);
      throw new Error('the line is cut');
    };
    await expect(blobs.put('a', { digest }, failing(), {})).rejects.toThrow('the line is cut');
    expect(await (await blobs.get('a', digest, {})).bytes()).toEqual(bytes);
  });

  test('has a damaged file replaced by a blob that is put again', async () => {
    await placeFile(digest, Uint8Array.of(1, 2, 3));
    await blobs.put('a', { digest }, once(bytes), {});
    expect(await (await blobs.get('a', digest, {})).bytes()).toEqual(bytes);
  });

  test('serves a file of another program, and does not delete it even if the same blob is pushed', async () => {
    await placeFile(digest, bytes);
    expect(await blobs.stat('a', digest, {})).toEqual({ size: 12 });
    expect(await (await blobs.get('a', digest, {})).bytes()).toEqual(bytes);
    await expect(blobs.delete('a', digest, {})).rejects.toMatchObject({ code: 'DENIED' });
    await blobs.put('a', { digest }, once(bytes), {});
    await expect(blobs.delete('a', digest, {})).rejects.toMatchObject({ code: 'DENIED' });
    expect(await (await blobs.get('a', digest, {})).bytes()).toEqual(bytes);
  });

  test('serves what another program has linked there', async () => {
    await writeFile(join(parent, 'elsewhere'), bytes);
    await mkdir(join(dir, 'sha256'), { recursive: true });
    await symlink(join(parent, 'elsewhere'), pathOf(digest));
    expect(await (await blobs.get('a', digest, {})).bytes()).toEqual(bytes);
    expect(await readdir(parent)).toContain('elsewhere');
  });

  test('has no blob where a directory lies in place of a file, and leaves it alone', async () => {
    await mkdir(join(pathOf(digest), 'sub'), { recursive: true });
    await expect(blobs.get('a', digest, {})).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    await expect(blobs.stat('a', digest, {})).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    await expect(blobs.delete('a', digest, {})).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    await expect(blobs.put('a', { digest }, once(bytes), {})).rejects.toThrow();
    expect(await uploads()).toEqual([]);
    expect((await stat(join(pathOf(digest), 'sub'))).isDirectory()).toBe(true);
  });

  test('has no blob where a file lies in place of a directory', async () => {
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, 'sha256'), '');
    await expect(blobs.get('a', digest, {})).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    await expect(blobs.put('a', { digest }, once(bytes), {})).rejects.toThrow();
    expect(await uploads()).toEqual([]);
  });

  test('does not pass a file that cannot be read off as unknown', async () => {
    await mkdir(join(dir, 'sha256'), { recursive: true });
    await symlink(pathOf(digest), pathOf(digest));
    await expect(blobs.stat('a', digest, {})).rejects.toMatchObject({ code: 'ELOOP' });
    await expect(blobs.get('a', digest, {})).rejects.toMatchObject({ code: 'ELOOP' });
  });

  test.each(['sha256:../../../../etc/passwd', '..:passwd', '.uploads:x', `sha256:${'A'.repeat(64)}`, 'md5:00', ''])(
    'is not left by the digest %j',
    async (malformed) => {
      const wrong = malformed as Digest;
      const refused = { code: 'DIGEST_INVALID' };
      await expect(blobs.get('a', wrong, {})).rejects.toMatchObject(refused);
      await expect(blobs.stat('a', wrong, {})).rejects.toMatchObject(refused);
      await expect(blobs.delete('a', wrong, {})).rejects.toMatchObject(refused);
      await expect(blobs.put('a', { digest: wrong }, once(bytes), {})).rejects.toMatchObject(refused);
      expect(await uploads()).toEqual([]);
    },
  );

  test('deletes a blob once', async () => {
    await blobs.put('a', { digest }, once(bytes), {});
    await blobs.delete('a', digest, {});
    await expect(blobs.get('a', digest, {})).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    await expect(blobs.delete('a', digest, {})).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
  });

  test('says BLOB_UNKNOWN when a blob is deleted before it is opened', async () => {
    await blobs.put('a', { digest }, once(bytes), {});
    const content = await blobs.get('a', digest, {});
    await blobs.delete('a', digest, {});
    await expect(content.open()).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
  });

  test('goes on giving a blob that is deleted, or written again, while it is read', async () => {
    await blobs.put('a', { digest }, once(bytes), {});
    const [one, other] = [await blobs.get('a', digest, {}), await blobs.get('a', digest, {})];
    await Promise.all([one.open(), other.open()]);
    await blobs.put('a', { digest }, once(bytes), {});
    expect(await one.bytes()).toEqual(bytes);
    await blobs.delete('a', digest, {});
    expect(await other.bytes()).toEqual(bytes);
  });

  test('says SIZE_INVALID when a file shrinks while it is read', async () => {
    await placeFile(digest, bytes);
    const content = await blobs.get('a', digest, {});
    await truncate(pathOf(digest), 5);
    await expect(content.bytes()).rejects.toMatchObject({ code: 'SIZE_INVALID' });
  });

  test('is read no further when the signal is aborted', async () => {
    await placeFile(digest, bytes);
    const controller = new AbortController();
    const content = await blobs.get('a', digest, { signal: controller.signal });
    await content.readInto(new Uint8Array(3));
    controller.abort(new Error('enough'));
    await expect(content.readInto(new Uint8Array(3))).rejects.toThrow('enough');
  });
});

describe('an upload in a file', () => {
  let stage: BlobStage;
  beforeEach(() => {
    stage = blobs.stage('a');
  });

  test('has a file of its own, which only its owner may read, until it is kept', async () => {
    const other = blobs.stage('a');
    await stage.append(bytes.slice(0, 5));
    await other.append(bytes);
    expect(await uploads()).toHaveLength(2);
    expect((await stat(join(dir, '.uploads'))).mode & 0o077).toBe(0);
    await stage.append(bytes.slice(5));
    await stage.keep('a', digest);
    expect(await uploads()).toHaveLength(1);
    expect(await (await blobs.get('a', digest, {})).bytes()).toEqual(bytes);
    await other.discard();
    expect(await uploads()).toEqual([]);
  });

  test('can be read, also in part, while it grows', async () => {
    await stage.append(bytes.slice(0, 5));
    expect(await stage.read(5).bytes()).toEqual(bytes.slice(0, 5));
    await stage.append(bytes.slice(5));
    expect(await stage.read(12, { start: 3, end: 9 }).bytes()).toEqual(bytes.slice(3, 9));
  });

  test('forgets what lies behind the point where it is cut, also when nothing holds it open', async () => {
    await stage.append(bytes);
    await stage.release();
    await stage.truncate(5);
    await stage.append(Uint8Array.of(1, 2));
    expect(await stage.read(7).bytes()).toEqual(Uint8Array.of(...bytes.slice(0, 5), 1, 2));
    await stage.truncate(0);
    await stage.release();
    await stage.append(bytes);
    await stage.keep('a', digest);
    expect(await (await blobs.get('a', digest, {})).bytes()).toEqual(bytes);
  });

  test('goes on after it was released', async () => {
    await stage.append(bytes.slice(0, 5));
    await stage.release();
    await stage.release();
    await stage.append(bytes.slice(5));
    await stage.release();
    await stage.keep('a', digest);
    expect(await (await blobs.get('a', digest, {})).bytes()).toEqual(bytes);
  });

  test('of no bytes becomes a blob of no bytes', async () => {
    const none = digestOf(new Uint8Array());
    await stage.keep('a', none);
    expect(await blobs.stat('a', none, {})).toEqual({ size: 0 });
  });

  test('is gone when it is discarded, before and after its first byte', async () => {
    await stage.discard();
    await stage.append(bytes);
    await stage.discard();
    await stage.discard();
    expect(await uploads()).toEqual([]);
  });

  test('takes the place of a damaged file', async () => {
    await placeFile(digest, Uint8Array.of(0));
    await stage.append(bytes);
    await stage.keep('a', digest);
    expect(await (await blobs.get('a', digest, {})).bytes()).toEqual(bytes);
  });
});
