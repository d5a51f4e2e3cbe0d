import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { writeBlobs } from '../../../test/write-blobs.ts';
import { maintenanceOf, mediaTypes, splitDigest } from '../../model/index.ts';
import { artifactOf, blobOf, imageOf, indexOf, pushContent } from '../../testing/index.ts';

import { openLayout, openLayouts } from './index.ts';
import type { LayoutOptions, LayoutRegistry } from './index.ts';

let dir: string;
const opened: LayoutRegistry[] = [];
const warnings: string[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-layout-'));
});
afterEach(async () => {
  for (const registry of opened.splice(0)) await registry.close();
  warnings.splice(0);
  await rm(dir, { recursive: true });
});

function open(options: LayoutOptions = {}): LayoutRegistry {
  const registry = openLayout(dir, { durability: 'none', onWarning: (message) => warnings.push(message), ...options });
  opened.push(registry);
  return registry;
}

const first = imageOf();
const second = imageOf();
const list = indexOf([first, second]);
const signature = artifactOf({ artifactType: 'application/vnd.example.signature', subject: first.descriptor });

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** As another tool writes it. */
async function writeLayout(manifests: unknown, base = dir): Promise<void> {
  await mkdir(base, { recursive: true });
  await writeFile(join(base, 'oci-layout'), '{"imageLayoutVersion": "1.0.0"}');
  await writeFile(join(base, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests, 'x-own': 1 }, undefined, 2));
}

async function readEntries(base = dir): Promise<Record<string, unknown>[]> {
  const index = JSON.parse(await readFile(join(base, 'index.json'), 'utf8')) as {
    manifests: Record<string, unknown>[];
  };
  return index.manifests;
}

const named = (name: string): object => ({ annotations: { 'org.opencontainers.image.ref.name': name } });

describe("another tool's layout", () => {
  test('serves what its entries reach, to the repositories that they name and no others', async () => {
    await writeBlobs(dir, list, signature, blobOf('nobody names me'));
    await writeLayout([
      { ...list.descriptor, ...named('app:v1') },
      { ...signature.descriptor, ...named(`app@${signature.descriptor.digest}`) },
      { ...second.descriptor, ...named('other:v2') },
    ]);
    const registry = open();
    expect(await collect(registry.repositories())).toEqual(['app', 'other']);
    expect((await registry.getTag('app', 'v1')).descriptor).toEqual(list.descriptor);
    // A descriptor that is answered has nothing of the entry's own annotations.
    expect(await registry.resolveTag('app', 'v1')).toEqual(list.descriptor);
    expect((await registry.getManifest('app', first.descriptor.digest)).bytes).toEqual(first.bytes);
    for (const { descriptor } of first.blobs) {
      expect((await registry.resolveBlob('app', descriptor.digest)).size).toBe(descriptor.size);
      await expect(registry.resolveBlob('other', descriptor.digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    }
    await expect(registry.getManifest('other', first.descriptor.digest)).rejects.toMatchObject({
      code: 'MANIFEST_UNKNOWN',
    });
    const nobodys = blobOf('nobody names me').descriptor.digest;
    await expect(registry.resolveBlob('app', nobodys)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    const [referrer] = await collect(registry.referrers('app', first.descriptor.digest));
    expect(referrer?.digest).toBe(signature.descriptor.digest);
  });

  test('keeps what this library does not know when it is written', async () => {
    await writeBlobs(dir, first, second);
    const odd = [null, { digest: 'sha256:x' }, { ...second.descriptor, ...named('localhost:5000/app:v1') }];
    const own = { ...first.descriptor, platform: { os: 'linux', architecture: 'arm' }, ...named('app:v1'), 'x-own': 1 };
    await writeLayout([own, ...odd]);
    const registry = open();
    expect(await collect(registry.tags('app'))).toEqual(['v1']);
    await pushContent(registry, 'app', second, { tags: ['v2'] });
    await registry.fold();
    const entries = await readEntries();
    expect(entries).toEqual(expect.arrayContaining([own, ...odd]));
    expect(entries.length).toBe(5);
    expect(JSON.parse(await readFile(join(dir, 'index.json'), 'utf8'))).toMatchObject({ 'x-own': 1 });
  });

  test('keeps entries without a tag, with what only they know, also when others tag the same digest', async () => {
    await writeBlobs(dir, first, second);
    const { digest } = first.descriptor;
    const untagged = (more: Record<string, string>): Record<string, unknown> => ({
      ...first.descriptor,
      annotations: { 'org.opencontainers.image.ref.name': `app@${digest}`, ...more },
    });
    const theirs = [untagged({ 'x-own': '1' }), { ...untagged({ 'x-own': '2' }), platform: { os: 'linux' } }];
    await writeLayout([theirs[0], { ...first.descriptor, ...named('app:theirs') }, theirs[1]]);
    const registry = open();
    await registry.pushManifest('app', first.bytes, first.mediaType, { tags: ['ours'] });
    await registry.fold();
    const entries = await readEntries();
    expect(entries).toEqual(expect.arrayContaining(theirs));
    expect(entries.length).toBe(4);
    await registry.close();

    const again = open();
    for (const tag of ['ours', 'theirs']) await again.deleteTag('app', tag);
    await again.fold();
    expect(await readEntries()).toEqual(theirs);
    await again.deleteManifest('app', digest);
    await again.fold();
    expect(await readEntries()).toEqual([]);
  });

  test('does not keep what entries said of a digest as something else than it was pushed as', async () => {
    await writeBlobs(dir, first);
    const { digest } = first.descriptor;
    const docker = { ...first.descriptor, mediaType: mediaTypes.dockerManifest };
    const untagged = { annotations: { 'org.opencontainers.image.ref.name': `app@${digest}`, 'x-own': '1' } };
    await writeLayout([
      { ...first.descriptor, ...untagged },
      { ...docker, ...untagged },
    ]);
    const registry = open();
    await registry.pushManifest('app', first.bytes, first.mediaType, { tags: ['ours'] });
    await registry.fold();
    expect(await readEntries()).toEqual([
      { ...first.descriptor, ...named('app:ours') },
      { ...first.descriptor, ...untagged },
    ]);
  });

  test.each([[null], [undefined], [[]]])('may have no entries: %j', async (manifests) => {
    await writeLayout(manifests);
    expect(await collect(open().repositories())).toEqual([]);
  });

  test('counts the last of two entries that say the same tag, also after it was written', async () => {
    await writeBlobs(dir, first, second);
    const own = { ...first.descriptor, platform: { os: 'linux', architecture: 'arm' }, ...named('app:v1') };
    await writeLayout([own, { ...second.descriptor, ...named('app:v1') }]);
    const registry = open();
    await registry.pushManifest('app', first.bytes, first.mediaType, { tags: ['v2'] });
    await registry.close();
    const again = open();
    expect((await again.resolveTag('app', 'v1')).digest).toBe(second.descriptor.digest);
    expect((await again.resolveTag('app', 'v2')).digest).toBe(first.descriptor.digest);
  });

  test('leaves entries of one digest with two media types as they are', async () => {
    await writeBlobs(dir, first);
    const docker = { ...first.descriptor, mediaType: mediaTypes.dockerManifest, ...named('app:docker') };
    await writeLayout([{ ...first.descriptor, ...named('app:oci') }, docker]);
    const registry = open();
    expect(await collect(registry.tags('app'))).toEqual(['docker', 'oci']);
    await registry.deleteTag('app', 'oci');
    await registry.fold();
    expect(await readEntries()).toEqual([docker]);
  });

  test('leaves an entry whose manifest is not there, and serves the rest', async () => {
    await writeBlobs(dir, second);
    const missing = { ...first.descriptor, ...named('app:gone') };
    await writeLayout([missing, { ...second.descriptor, ...named('app:here') }]);
    const registry = open();
    await expect(registry.getTag('app', 'gone')).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    expect(await collect(registry.referrers('app', second.descriptor.digest))).toEqual([]);
    expect((await registry.getTag('app', 'here')).bytes).toEqual(second.bytes);
    await registry.pushManifest('app', second.bytes, second.mediaType, { tags: ['new'] });
    await registry.fold();
    expect(await readEntries()).toContainEqual(missing);
  });

  test('does not have a child that is not there', async () => {
    await writeBlobs(dir, { ...list, manifests: [first] });
    await writeLayout([{ ...list.descriptor, ...named('app:v1') }]);
    const registry = open();
    expect((await registry.resolveManifest('app', first.descriptor.digest)).size).toBe(first.bytes.length);
    await expect(registry.resolveManifest('app', second.descriptor.digest)).rejects.toMatchObject({
      code: 'MANIFEST_UNKNOWN',
    });
  });

  test('has entries without a name in the default repository', async () => {
    await writeBlobs(dir, first, second);
    await writeLayout([{ ...first.descriptor, ...named('latest') }, second.descriptor]);
    expect(await collect(open().repositories())).toEqual([]);
    const registry = open({ defaultRepository: 'app' });
    expect((await registry.resolveTag('app', 'latest')).digest).toBe(first.descriptor.digest);
    expect((await registry.resolveManifest('app', second.descriptor.digest)).digest).toBe(second.descriptor.digest);
  });

  test('of another version is not touched', async () => {
    await writeFile(join(dir, 'oci-layout'), '{"imageLayoutVersion":"2.0.0"}');
    await expect(collect(open().repositories())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('still has all that its manifests name after it was written and opened again', async () => {
    await writeBlobs(dir, list, signature);
    await writeLayout([
      { ...list.descriptor, ...named('app:v1') },
      { ...signature.descriptor, ...named(`app@${signature.descriptor.digest}`) },
    ]);
    const registry = open();
    // It is written while it is being looked into.
    const looking = collect(registry.referrers('app', first.descriptor.digest));
    await pushContent(registry, 'new', second, { tags: ['v1'] });
    await registry.fold();
    expect((await looking).length).toBe(1);
    await registry.close();
    const again = open();
    expect((await collect(again.referrers('app', first.descriptor.digest))).length).toBe(1);
    expect((await again.resolveManifest('app', second.descriptor.digest)).size).toBe(second.bytes.length);
    const [entry] = await readEntries();
    expect(entry).toEqual({ ...list.descriptor, ...named('app:v1') });
  });
});

describe('an index that another tool edits meanwhile', () => {
  test('has both changes in the end', async () => {
    const registry = open();
    await pushContent(registry, 'app', first, { tags: ['kept', 'moved', 'deleted'] });
    await registry.fold();
    await writeBlobs(dir, signature);
    const added = { ...signature.descriptor, ...named('app:added') };
    const kept = (await readEntries()).filter((entry) => !JSON.stringify(entry).includes('kept'));
    await writeLayout([...kept, added]);
    await pushContent(registry, 'app', second, { tags: ['moved'] });
    await registry.deleteTag('app', 'deleted');
    const blob = first.blobs[0]?.descriptor.digest ?? first.descriptor.digest;
    await registry.deleteBlob('app', blob);
    await registry.fold();
    expect(warnings).toEqual(['another tool has edited an index: both changes are kept']);
    const check = async (one: LayoutRegistry): Promise<void> => {
      expect(await collect(one.tags('app'))).toEqual(['added', 'moved']);
      expect((await one.resolveTag('app', 'moved')).digest).toBe(second.descriptor.digest);
      await expect(one.resolveBlob('app', blob)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
      for (const { descriptor } of second.blobs) await one.resolveBlob('app', descriptor.digest);
    };
    await check(registry);
    await registry.close();
    const again = open();
    await check(again);
    expect(await collect(again.referrers('app', first.descriptor.digest))).toHaveLength(1);
  });

  test('loses nothing that is pushed while the two are brought together', async () => {
    const registry = open();
    await pushContent(registry, 'app', first, { tags: ['v0'] });
    for (let round = 0; round < 20; round++) {
      await registry.pushManifest('app', first.bytes, first.mediaType, { tags: [`before-${round}`] });
      await writeLayout(await readEntries());
      const pushes = Array.from({ length: 5 }, (_, i) =>
        registry.pushManifest('app', first.bytes, first.mediaType, { tags: [`during-${round}-${i}`] }),
      );
      await Promise.all([registry.fold(), ...pushes]);
    }
    await registry.close();
    expect((await collect(open().tags('app'))).length).toBe(1 + 20 * 6);
  });

  test('is made again when it was removed', async () => {
    const registry = openLayouts(dir, { durability: 'none' });
    opened.push(registry);
    await pushContent(registry, 'app', first, { tags: ['v1'] });
    await registry.fold();
    await rm(join(dir, 'app'), { recursive: true });
    await pushContent(registry, 'app', second, { tags: ['v2'] });
    await registry.fold();
    expect(await readEntries(join(dir, 'app'))).toHaveLength(1);
    expect(await readFile(join(dir, 'app/oci-layout'), 'utf8')).toContain('1.0.0');
  });
});

describe('what is pushed', () => {
  test('keeps its manifest when its last tag goes elsewhere', async () => {
    const registry = open();
    await pushContent(registry, 'app', first, { tags: ['v1'] });
    await pushContent(registry, 'app', second, { tags: ['v1'] });
    await registry.deleteTag('app', 'v1');
    await registry.close();
    const again = open();
    for (const { descriptor } of [first, second]) await again.resolveManifest('app', descriptor.digest);
    expect((await readEntries()).length).toBe(2);
  });

  test('takes the place of a damaged manifest, also of one that has been read', async () => {
    const registry = open();
    await pushContent(registry, 'app', first, { tags: ['v1'] });
    const { algorithm, encoded } = splitDigest(first.descriptor.digest);
    const path = join(dir, 'blobs', algorithm, encoded);
    await writeFile(path, Buffer.alloc(first.bytes.length));
    await registry.getTag('app', 'v1');
    expect(await maintenanceOf(registry)?.verify('app', first.descriptor.digest)).toBe('corrupt');
    await registry.pushManifest('app', first.bytes, first.mediaType);
    expect((await registry.getTag('app', 'v1')).bytes).toEqual(first.bytes);
  });

  test('takes the place of a damaged blob only if it is what it should be', async () => {
    const registry = open();
    const blob = blobOf('good');
    await registry.pushBlob('app', blob.descriptor, blob.bytes);
    const wrong = new TextEncoder().encode('evil');
    await expect(registry.pushBlob('app', blob.descriptor, wrong)).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
    expect(await (await registry.getBlob('app', blob.descriptor.digest)).bytes()).toEqual(blob.bytes);
  });

  test('in an upload is not lost when it could not be kept, and can be tried again', async () => {
    const registry = open();
    await pushContent(registry, 'app', first);
    const blob = blobOf('in two steps');
    const upload = await registry.startUpload('app');
    await upload.append(blob.bytes);
    // Without its lock, the process may not write any more.
    const lock = join(dir, '.ocikit/lock');
    await rename(lock, `${lock}.aside`);
    await expect(upload.commit(blob.descriptor.digest)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(upload.size).toBe(blob.bytes.length);
    await rename(`${lock}.aside`, lock);
    await upload.commit(blob.descriptor.digest);
    expect(await (await registry.getBlob('app', blob.descriptor.digest)).bytes()).toEqual(blob.bytes);
  });

  test('under ids that lead elsewhere is refused', async () => {
    const registry = open();
    for (const id of ['../../../etc/passwd', '..', '', 'a/b', 'unknown']) {
      await expect(registry.resumeUpload('app', id)).rejects.toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN' });
    }
  });
});

test('creates nothing until something is written', async () => {
  const path = join(dir, 'none');
  for (const kind of [openLayout, openLayouts]) {
    const registry = kind(path, { durability: 'none' });
    expect(await collect(registry.repositories())).toEqual([]);
    await expect(registry.getTag('app', 'v1')).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
    await registry.close();
    await expect(readFile(path)).rejects.toThrow('ENOENT');
  }
});
