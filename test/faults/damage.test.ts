import { existsSync } from 'node:fs';
import { appendFile, cp, mkdir, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';

import { openLayouts } from 'ocikit/layout';
import { afterEach, describe, expect, test } from 'vitest';

import { digestOf, emptyConfig, hexOf, manifestOf, newBlob, newManifest } from './content.ts';
import type { Manifest } from './content.ts';
import { faultsOfLayouts, tagsOf } from './layout-check.ts';
import { getBlob, getManifest, pushBlob, pushManifest, pushSmall, request } from './requests.ts';
import { useScratch } from './scratch.ts';
import { useServers } from './server.ts';

const scratch = useScratch();
const servers = useServers();

const refName = 'org.opencontainers.image.ref.name';

describe.each(['per-repository', 'shared'])('with the layout %s', (layout) => {
  const flags = ['--layout', layout];
  const repository = 'team/app';
  const layoutOf = (root: string): string => (layout === 'shared' ? root : join(root, repository));
  const refNameOf = (tag: string): string => (layout === 'shared' ? `${repository}:${tag}` : tag);

  interface Killed {
    root: string;
    journal: string;
    manifests: Manifest[];
  }
  let original: Promise<Killed> | undefined;

  /** Creates the root of a killed server, with the tags 0 to 9 in its journal, one record each. */
  async function killedAfterPushes(): Promise<Killed> {
    original ??= killAfterPushes();
    const { root, journal, manifests } = await original;
    const copy = await scratch.newDirectory();
    await cp(root, copy, { recursive: true });
    return { root: copy, journal: join(copy, relative(root, journal)), manifests };
  }

  /** Creates such a root, and starts and stops a server on it once more. */
  async function stoppedAfterPushes(): Promise<Killed> {
    const killed = await killedAfterPushes();
    expect(await (await servers.start(killed.root, { flags })).stop()).toBe(0);
    return killed;
  }

  async function killAfterPushes(): Promise<Killed> {
    const root = await scratch.newDirectory();
    const server = await servers.start(root, { flags });
    expect((await pushBlob(server.url, repository, emptyConfig)).status).toBe(201);
    const manifests: Manifest[] = [];
    for (let tag = 0; tag < 10; tag++) {
      const manifest = newManifest();
      expect((await pushManifest(server.url, repository, manifest, `${tag}`)).status).toBe(201);
      manifests.push(manifest);
    }
    await server.kill();
    const names = (await readdir(join(root, '.ocikit'))).filter((name) => name.startsWith('journal-'));
    expect(names).toHaveLength(1);
    return { root, journal: join(root, '.ocikit', names[0] ?? ''), manifests };
  }

  /** Returns the tags that are served with their bytes. */
  async function survivors(url: string, manifests: readonly Manifest[]): Promise<string> {
    let found = '';
    for (const [tag, { bytes }] of manifests.entries()) {
      const answer = await getManifest(url, repository, `${tag}`);
      expect([200, 404]).toContain(answer.status);
      if (answer.status === 200 && answer.body.equals(bytes)) found += tag;
    }
    return found;
  }

  async function positionOf(journal: string, text: string): Promise<number> {
    const at = (await readFile(journal)).indexOf(text);
    expect(at).toBeGreaterThan(0);
    return at;
  }

  async function flipByte(path: string, at: number): Promise<void> {
    const bytes = await readFile(path);
    bytes.writeUInt8(bytes.readUInt8(at) ^ 0x01, at);
    await writeFile(path, bytes);
  }

  test.each([1, 50])('a journal without its last %i bytes keeps all earlier records', async (missing) => {
    const { root, journal, manifests } = await killedAfterPushes();
    await truncate(journal, (await readFile(journal)).length - missing);
    const server = await servers.start(root, { flags });
    expect(await survivors(server.url, manifests)).toBe('012345678');
    expect(await faultsOfLayouts(root)).toEqual([]);
    expect((await pushManifest(server.url, repository, newManifest(), 'new')).status).toBe(201);
  });

  test('a journal with garbage at its end keeps all earlier records', async () => {
    const { root, journal, manifests } = await killedAfterPushes();
    await appendFile(journal, Buffer.alloc(4096));
    await appendFile(journal, newBlob(5000).bytes);
    const server = await servers.start(root, { flags });
    expect(await survivors(server.url, manifests)).toBe('0123456789');
  });

  test.each([
    ['in the middle', '"tag":"4"', '012356789'],
    // The record also names its layout. In a shared layout the first record is of a blob.
    ['in the first record', '"op":"base"', layout === 'shared' ? '0123456789' : '123456789'],
  ])('a wrong byte of the journal %s loses that record only', async (_where, text, left) => {
    const { root, journal, manifests } = await killedAfterPushes();
    await flipByte(journal, await positionOf(journal, text));
    const server = await servers.start(root, { flags });
    expect(await survivors(server.url, manifests)).toBe(left);
    await server.logged(/warning: .*damaged/);
    const aside = (await readdir(join(root, '.ocikit'))).filter((name) => name.startsWith('quarantine-'));
    expect(aside).toHaveLength(1);
    await server.logged(aside[0] ?? 'the index put aside');
    expect(await readFile(join(root, '.ocikit', aside[0] ?? ''), 'utf8')).toContain('"repository":');
  });

  test.each([0, 3, 5])('a wrong byte %i of the head of a record loses that record only', async (offset) => {
    const { root, journal, manifests } = await killedAfterPushes();
    const bytes = await readFile(journal);
    const start = bytes.lastIndexOf('[{"op"', await positionOf(journal, '"tag":"4"'));
    await flipByte(journal, start - 8 + offset);
    const server = await servers.start(root, { flags });
    expect(await survivors(server.url, manifests)).toBe('012356789');
  });

  test('a wrong byte in the first line of the journal loses no record', async () => {
    const { root, journal, manifests } = await killedAfterPushes();
    await flipByte(journal, 3);
    const server = await servers.start(root, { flags });
    await server.logged(/warning: .*damaged/);
    expect(await survivors(server.url, manifests)).toBe('0123456789');
  });

  test('a read-only server reports a damaged journal, and does not change it', async () => {
    const { root, journal, manifests } = await killedAfterPushes();
    await flipByte(journal, await positionOf(journal, '"tag":"4"'));
    const before = await readFile(journal);
    const server = await servers.start(root, { flags: [...flags, '--read-only'] });
    expect(await survivors(server.url, manifests)).toBe('012356789');
    await server.logged(/warning: .*damaged/);
    expect(await readFile(journal)).toEqual(before);
  });

  test('files that the journal guarantees have its content after a loss of power', async () => {
    const { root, manifests } = await killedAfterPushes();
    const files = manifests.map(({ digest }) => join(layoutOf(root), 'blobs', 'sha256', hexOf(digest)));
    const [empty = '', missing = '', zeros = ''] = files;
    await truncate(empty, 0);
    await rm(missing);
    await writeFile(zeros, Buffer.alloc((await stat(zeros)).size));
    const server = await servers.start(root, { flags });
    expect(await survivors(server.url, manifests)).toBe('0123456789');
    expect(await server.stop()).toBe(0);
    for (const [i, file] of files.entries()) expect(digestOf(await readFile(file))).toBe(manifests[i]?.digest);
  });

  test('a manifest with a file of another size is missing, and reported', async () => {
    const { root, manifests } = await stoppedAfterPushes();
    const path = join(layoutOf(root), 'blobs', 'sha256', hexOf(manifests[0]?.digest ?? ''));
    await truncate(path, 20);
    const server = await servers.start(root, { flags });
    expect((await getManifest(server.url, repository, '0')).status).toBe(404);
    expect((await request('HEAD', `${server.url}/v2/${repository}/manifests/0`)).status).toBe(404);
    await server.logged(/warning: a manifest has the wrong size/);
    await server.logged(path);
    expect(await survivors(server.url, manifests)).toBe('123456789');
  });

  test('a manifest without its file is missing, and can be pushed again', async () => {
    const { root, manifests } = await stoppedAfterPushes();
    const [manifest] = manifests;
    if (manifest === undefined) throw new Error('nothing was pushed');
    await rm(join(layoutOf(root), 'blobs', 'sha256', hexOf(manifest.digest)));
    const server = await servers.start(root, { flags });
    expect((await getManifest(server.url, repository, '0')).status).toBe(404);
    expect((await pushManifest(server.url, repository, manifest, '0')).status).toBe(201);
    expect(await survivors(server.url, manifests)).toBe('0123456789');
  });

  test('a blob without its file is missing, and can be pushed again', async () => {
    const root = await scratch.newDirectory();
    const server = await servers.start(root, { flags });
    const blob = newBlob(1000);
    expect((await pushBlob(server.url, repository, blob)).status).toBe(201);
    await rm(join(layoutOf(root), 'blobs', 'sha256', hexOf(blob.digest)));
    expect((await getBlob(server.url, repository, blob.digest)).status).toBe(404);
    expect((await pushManifest(server.url, repository, manifestOf(blob, []), '1')).status).toBe(404);
    expect((await pushBlob(server.url, repository, blob)).status).toBe(201);
    expect((await getBlob(server.url, repository, blob.digest)).body).toEqual(blob.bytes);
  });

  test('an index that cannot be parsed is a clear error, and not changed', async () => {
    const root = await scratch.newDirectory();
    await mkdir(layoutOf(root), { recursive: true });
    const path = join(layoutOf(root), 'index.json');
    await writeFile(join(layoutOf(root), 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    await writeFile(path, '{"schemaVersion":2,"manifests":[');
    const server = await servers.start(root, { flags });
    for (const answer of [
      await getManifest(server.url, repository, '1'),
      await pushBlob(server.url, repository, newBlob(10)),
      await pushManifest(server.url, repository, newManifest(), '1'),
    ]) {
      expect(answer.status).toBe(503);
      expect(answer.body.toString()).toContain('index.json');
    }
    expect(await readFile(path, 'utf8')).toBe('{"schemaVersion":2,"manifests":[');
    // A repaired index needs no restart.
    await writeFile(path, '{"schemaVersion":2,"manifests":[]}');
    expect((await pushBlob(server.url, repository, newBlob(10))).status).toBe(201);
  });

  test('an index that cannot be parsed loses no record of the journal', async () => {
    const { root, manifests } = await killedAfterPushes();
    const path = join(layoutOf(root), 'index.json');
    const whole = await readFile(path);
    await writeFile(path, 'rubbish');
    // Other repositories are served all the same.
    const beside = await servers.start(root, { flags });
    expect((await getManifest(beside.url, repository, '0')).status).toBe(503);
    await beside.logged(path);
    await beside.stop();
    expect(await readFile(path, 'utf8')).toBe('rubbish');
    await writeFile(path, whole);
    const server = await servers.start(root, { flags });
    expect(await survivors(server.url, manifests)).toBe('0123456789');
  });

  test('a layout of another version is a clear error, and not changed', async () => {
    const root = await scratch.newDirectory();
    await mkdir(layoutOf(root), { recursive: true });
    const path = join(layoutOf(root), 'oci-layout');
    await writeFile(path, '{"imageLayoutVersion":"2.0.0"}');
    const server = await servers.start(root, { flags });
    const answer = await pushBlob(server.url, repository, newBlob(10));
    expect(answer.status).toBe(503);
    expect(answer.body.toString()).toContain('2.0.0');
    expect(await readFile(path, 'utf8')).toBe('{"imageLayoutVersion":"2.0.0"}');
    expect(existsSync(join(layoutOf(root), 'index.json'))).toBe(false);
  });

  test('unknown entries of other tools are kept and reported when the index is rewritten', async () => {
    const { root } = await killedAfterPushes();
    expect(await (await servers.start(root, { flags })).stop()).toBe(0);
    const odd = [
      { mediaType: 'x', digest: 'no digest', size: 1 },
      { note: 'not even a descriptor' },
      { mediaType: 'a/b', digest: newBlob(1).digest, size: 1, annotations: { [refName]: '..//what is this' } },
    ];
    await editIndex(layoutOf(root), (entries) => [...entries, ...odd]);

    const server = await servers.start(root, { flags });
    expect((await pushManifest(server.url, repository, newManifest(), 'new')).status).toBe(201);
    await server.logged(/warning: an index has entries that are not descriptors/);
    expect(await server.stop()).toBe(0);
    const entries = await entriesOf(layoutOf(root));
    for (const entry of odd) expect(entries).toContainEqual(entry);
    expect((await tagsOf(layoutOf(root))).has(refNameOf('new'))).toBe(true);
  });

  test('an index that is edited while the server is stopped keeps both changes', async () => {
    const { root, manifests } = await killedAfterPushes();
    expect(await (await servers.start(root, { flags })).stop()).toBe(0);
    const running = await servers.start(root, { flags });
    expect((await pushManifest(running.url, repository, newManifest('pushed'), 'pushed')).status).toBe(201);
    await running.kill();
    await editIndex(layoutOf(root), (entries) => [
      ...entries.filter((entry) => nameOf(entry) !== refNameOf('3')),
      entryOf(manifests[0], refNameOf('edited')),
    ]);

    const server = await servers.start(root, { flags });
    await server.logged(/warning: another tool has edited an index/);
    expect((await getManifest(server.url, repository, 'pushed')).status).toBe(200);
    expect((await getManifest(server.url, repository, 'edited')).body).toEqual(manifests[0]?.bytes);
    expect(await survivors(server.url, manifests)).toBe('012456789');
    expect(await server.stop()).toBe(0);
    const tags = await tagsOf(layoutOf(root));
    expect(tags.get(refNameOf('edited'))).toBe(manifests[0]?.digest);
    expect(tags.has(refNameOf('pushed'))).toBe(true);
    expect(tags.has(refNameOf('3'))).toBe(false);
  });

  test('an index that is edited while the server runs keeps both changes', async () => {
    const { root, manifests } = await killedAfterPushes();
    const server = await servers.start(root, { flags });
    const pushed = newManifest();
    expect((await pushManifest(server.url, repository, pushed, 'pushed')).status).toBe(201);
    expect((await request('DELETE', `${server.url}/v2/${repository}/manifests/5`)).status).toBe(202);
    await editIndex(layoutOf(root), (entries) => [
      ...entries.filter((entry) => nameOf(entry) !== refNameOf('3')),
      entryOf(manifests[0], refNameOf('edited')),
    ]);
    expect(await server.stop()).toBe(0);
    await server.logged(/warning: another tool has edited an index/);

    const restarted = await servers.start(root, { flags });
    expect((await getManifest(restarted.url, repository, 'pushed')).body).toEqual(pushed.bytes);
    expect((await getManifest(restarted.url, repository, 'edited')).body).toEqual(manifests[0]?.bytes);
    // The edit has the other entries of the fold that wrote tag 3: its tool has read that index, and removed the tag.
    expect(await survivors(restarted.url, manifests)).toBe('01246789');
    expect(await faultsOfLayouts(root)).toEqual([]);
  });

  test('a blob that is a symbolic link out of the root is not served', async () => {
    const root = await scratch.newDirectory();
    const outside = join(await scratch.newDirectory(), 'secret');
    const secret = newBlob(100);
    await writeFile(outside, secret.bytes);
    const server = await servers.start(root, { flags });
    expect((await pushBlob(server.url, repository, secret)).status).toBe(201);
    const path = join(layoutOf(root), 'blobs', 'sha256', hexOf(secret.digest));
    await rm(path);
    await symlink(outside, path);
    expect((await getBlob(server.url, repository, secret.digest)).status).toBe(404);
    // A push replaces the link, and does not touch its target.
    await writeFile(outside, 'as it was');
    expect((await pushBlob(server.url, repository, secret)).status).toBe(201);
    expect(await readFile(outside, 'utf8')).toBe('as it was');
    expect((await getBlob(server.url, repository, secret.digest)).body).toEqual(secret.bytes);
  });

  test('a directory of blobs that is a symbolic link out of the root is not written through', async () => {
    const root = await scratch.newDirectory();
    const outside = await scratch.newDirectory();
    await mkdir(join(layoutOf(root), 'blobs'), { recursive: true });
    await symlink(outside, join(layoutOf(root), 'blobs', 'sha256'));
    const server = await servers.start(root, { flags });
    const answer = await pushBlob(server.url, repository, newBlob(10));
    expect(await readdir(outside)).toEqual([]);
    expect(answer.status).not.toBe(201);
  });
});

test('a repository that is a symbolic link out of the root is neither served nor written through', async () => {
  const root = await scratch.newDirectory();
  const elsewhere = await scratch.newDirectory();
  const manifest = newManifest();
  const other = await servers.start(elsewhere);
  expect((await pushSmall(other.url, 'private', manifest, '1')).status).toBe(201);
  expect(await other.stop()).toBe(0);
  await symlink(join(elsewhere, 'private'), join(root, 'link'));

  const before = await readdir(join(elsewhere, 'private', 'blobs', 'sha256'));
  const server = await servers.start(root);
  expect.soft([404, 503]).toContain((await getManifest(server.url, 'link', '1')).status);
  expect.soft((await pushBlob(server.url, 'link', newBlob(10))).status).not.toBe(201);
  expect(await readdir(join(elsewhere, 'private', 'blobs', 'sha256'))).toEqual(before);
});

describe('with verifyOnRead', () => {
  const open: AsyncDisposable[] = [];
  afterEach(async () => {
    for (const registry of open.splice(0)) await registry[Symbol.asyncDispose]();
  });

  test('a damaged blob ends its download with an error', async () => {
    const root = await scratch.newDirectory();
    const registry = openLayouts(root, { verifyOnRead: true });
    open.push(registry);
    const blob = newBlob(300_000);
    await registry.pushBlob('app', { digest: blob.digest, size: blob.bytes.length }, blob.bytes);
    const path = join(root, 'app', 'blobs', 'sha256', hexOf(blob.digest));
    await writeFile(path, newBlob(300_000).bytes);
    const content = await registry.getBlob('app', blob.digest);
    await expect(
      (async () => {
        for await (const bytes of content) expect(bytes.length).toBeGreaterThan(0);
      })(),
    ).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
  });

  test('a damaged manifest is missing, and reported', async () => {
    const root = await scratch.newDirectory();
    const warnings: string[] = [];
    const registry = openLayouts(root, { verifyOnRead: true, onWarning: (message) => warnings.push(message) });
    open.push(registry);
    await registry.pushBlob('app', { digest: emptyConfig.digest, size: emptyConfig.bytes.length }, emptyConfig.bytes);
    const manifest = newManifest('aaaa');
    await registry.pushManifest('app', manifest.bytes, manifest.mediaType, { tags: ['1'] });
    const path = join(root, 'app', 'blobs', 'sha256', hexOf(manifest.digest));
    await writeFile(path, newManifest('bbbb').bytes);
    await expect(registry.getTag('app', '1')).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    expect(warnings).toEqual(['a manifest is damaged']);
  });
});

interface Entry {
  mediaType?: string;
  digest?: string;
  size?: number;
  annotations?: Record<string, string>;
}

async function entriesOf(dir: string): Promise<Entry[]> {
  return (JSON.parse(await readFile(join(dir, 'index.json'), 'utf8')) as { manifests: Entry[] }).manifests;
}

async function editIndex(dir: string, edit: (entries: Entry[]) => Entry[]): Promise<void> {
  const index = { schemaVersion: 2, manifests: edit(await entriesOf(dir)) };
  await writeFile(join(dir, 'index.json'), JSON.stringify(index, undefined, 2));
}

function nameOf({ annotations }: Entry): string | undefined {
  return annotations?.[refName];
}

function entryOf(manifest: Manifest | undefined, name: string): Entry {
  if (manifest === undefined) throw new Error('nothing was pushed');
  const { mediaType, digest, bytes } = manifest;
  return { mediaType, digest, size: bytes.length, annotations: { [refName]: name } };
}
