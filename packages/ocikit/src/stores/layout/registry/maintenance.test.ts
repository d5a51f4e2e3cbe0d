import { existsSync } from 'node:fs';
import { link, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { collect, maintenanceOf } from '../../../model/index.ts';
import type { Digest, Maintenance } from '../../../model/index.ts';
import { imageOf, indexOf, manifestOf, pushContent, randomBlob } from '../../../testing/index.ts';

import { openLayout, openLayouts } from '../open-layout.ts';
import type { LayoutRegistry } from '../open-layout.ts';
import { Commits, LayoutStore } from '../root/index.ts';

let dir: string;
const closing: LayoutRegistry[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-maintenance-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const registry of closing.splice(0)) await registry.close();
  await rm(dir, { recursive: true, force: true });
});

function opened(registry: LayoutRegistry): { registry: LayoutRegistry; upkeep: Maintenance } {
  closing.push(registry);
  const upkeep = maintenanceOf(registry);
  if (upkeep === undefined) throw new Error('it has no maintenance');
  return { registry, upkeep };
}

/** Holds a caller at this point until it is released. */
function gate(): { come: () => Promise<void>; arrived: Promise<void>; open: () => void } {
  let [arrive, open] = [(): void => undefined, (): void => undefined];
  const arrived = new Promise<void>((resolve) => (arrive = resolve));
  const opening = new Promise<void>((resolve) => (open = resolve));
  return {
    arrived,
    open: () => open(),
    async come() {
      arrive();
      await opening;
    },
  };
}

const kinds = [
  ['a shared layout', openLayout],
  ['a layout for each repository', openLayouts],
] as const;

describe.each(kinds)('in %s', (_name, open) => {
  test('what a manifest names stays while it is being pushed and afterwards, however short the time of grace', async () => {
    const { registry, upkeep } = opened(open(dir));
    const image = imageOf();
    for (const { descriptor, bytes } of image.blobs) await registry.pushBlob('app', descriptor, bytes);
    const { arrived, come, open: letGo } = gate();
    const add = Reflect.get(Commits.prototype, 'add');
    vi.spyOn(Commits.prototype, 'add').mockImplementation(async function (this: Commits, ...args) {
      if (args[1].some(({ op }) => op === 'manifest')) await come();
      return add.apply(this, args);
    });
    const pushing = registry.pushManifest('app', image.bytes, image.mediaType, { tags: ['v1'] });
    await arrived;
    await pause(10);
    const between = new Date();
    await pause(10);
    for (const { descriptor } of image.blobs) {
      expect(await upkeep.removeUnused('app', descriptor.digest, { unusedSince: new Date() })).toBe(false);
    }
    letGo();
    await pushing;
    for (const { descriptor } of image.blobs) {
      expect(await upkeep.removeUnused('app', descriptor.digest, { unusedSince: between })).toBe(false);
    }
    // When the push has failed, nothing keeps them.
    await pause(10);
    expect(
      await upkeep.removeUnused('app', image.blobs[0]?.descriptor.digest ?? 'a:b', { unusedSince: new Date() }),
    ).toBe(true);
  });

  test('a manifest that is pushed again while it is removed is there, and what names it is accepted', async () => {
    const { registry, upkeep } = opened(open(dir));
    const image = imageOf();
    const { digest } = image.descriptor;
    await pushContent(registry, 'app', image);
    await pause(10);
    const { arrived, come, open: letGo } = gate();
    vi.spyOn(LayoutStore.prototype, 'removeFromIndex').mockImplementationOnce(come);
    const removing = upkeep.removeUnused('app', digest, { unusedSince: new Date() });
    await arrived;
    await expect(registry.resolveManifest('app', digest)).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    await registry.pushManifest('app', image.bytes, image.mediaType);
    expect((await registry.resolveManifest('app', digest)).size).toBe(image.bytes.length);
    const index = indexOf([image.descriptor]);
    await registry.pushManifest('app', index.bytes, index.mediaType, { tags: ['v1'] });
    letGo();
    await removing;
    expect((await registry.getManifest('app', digest)).bytes).toEqual(image.bytes);
    expect(await upkeep.verify('app', digest)).toBe('ok');
  });

  test('a blob that is pushed while the manifest of the same bytes is removed is there', async () => {
    const { registry, upkeep } = opened(open(dir));
    const image = imageOf();
    const { descriptor, bytes } = image;
    await pushContent(registry, 'app', image);
    await pause(10);
    const { arrived, come, open: letGo } = gate();
    vi.spyOn(LayoutStore.prototype, 'removeFromIndex').mockImplementationOnce(come);
    const removing = upkeep.removeUnused('app', descriptor.digest, { unusedSince: new Date() });
    await arrived;
    await registry.pushBlob('app', descriptor, bytes);
    letGo();
    await removing;
    expect(await (await registry.getBlob('app', descriptor.digest)).bytes()).toEqual(bytes);
  });

  test('the index never names a manifest that has been removed for want of use', async () => {
    const { registry, upkeep } = opened(open(dir));
    const [kept, gone] = [imageOf(), imageOf()];
    await pushContent(registry, 'app', kept, { tags: ['v1'] });
    await pushContent(registry, 'app', gone);
    await registry.fold();
    const index = join(dir, open === openLayout ? '' : 'app', 'index.json');
    expect(await readFile(index, 'utf8')).toContain(gone.descriptor.digest);
    await pause(10);
    expect(await upkeep.removeUnused('app', gone.descriptor.digest, { unusedSince: new Date() })).toBe(true);
    expect(await readFile(index, 'utf8')).not.toContain(gone.descriptor.digest);
  });

  test('a record whose file is gone is listed, and can be removed', async () => {
    const { registry, upkeep } = opened(open(dir));
    const image = imageOf();
    await pushContent(registry, 'app', image);
    const { digest } = image.descriptor;
    await rm(join(dir, open === openLayout ? '' : 'app', 'blobs', digest.replace(':', '/')));
    expect((await collect(upkeep.manifests('app'))).map(({ descriptor }) => descriptor.digest)).toEqual([digest]);
    await expect(upkeep.readManifest('app', digest)).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    await pause(10);
    expect(await upkeep.removeUnused('app', digest, { unusedSince: new Date() })).toBe(true);
    expect(await collect(upkeep.manifests('app'))).toEqual([]);
  });

  test('uploads of an earlier process are listed, though their repository is unknown', async () => {
    const first = open(dir);
    const upload = await first.startUpload('app');
    await upload.append(randomBlob(100_000).bytes);
    await upload.close();
    await first.close();
    const { registry, upkeep } = opened(open(dir));
    const { id } = upload;
    expect(await collect(upkeep.uploads(undefined))).toMatchObject([{ id, repository: undefined, size: 100_000 }]);
    expect(await collect(upkeep.uploads('app'))).toMatchObject([{ id, repository: 'app' }]);
    expect(await collect(upkeep.uploads('other'))).toEqual([]);
    await (await registry.resumeUpload('app', id)).close();
    expect(await collect(upkeep.uploads(undefined))).toMatchObject([{ id, repository: 'app' }]);
  });
});

describe('a damaged file', () => {
  const content = randomBlob(1000);
  const { digest } = content.descriptor;
  const pathIn = (repository: string): string => join(dir, repository, 'blobs', digest.replace(':', '/'));

  test('is put aside for all repositories of a shared layout, and pushed again for all', async () => {
    const { registry, upkeep } = opened(openLayout(dir));
    await registry.pushBlob('a', content.descriptor, content.bytes);
    await registry.mountBlob('a', 'b', digest);
    await writeFile(pathIn(''), 'damaged');
    expect(await upkeep.quarantine('a', digest)).toBe(true);
    await expect(registry.resolveBlob('b', digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    await registry.pushBlob('b', content.descriptor, content.bytes);
    expect(await (await registry.getBlob('a', digest)).bytes()).toEqual(content.bytes);
  });

  test('that several repositories have linked is put aside in each', async () => {
    const { registry, upkeep } = opened(openLayouts(dir));
    await registry.pushBlob('a', content.descriptor, content.bytes);
    await registry.mountBlob('a', 'b', digest);
    await writeFile(pathIn('a'), 'damaged');
    expect(await upkeep.verify('b', digest)).toBe('corrupt');
    expect(await upkeep.quarantine('a', digest)).toBe(true);
    expect(await upkeep.quarantine('b', digest)).toBe(true);
    expect([existsSync(pathIn('a')), existsSync(pathIn('b'))]).toEqual([false, false]);
    expect(await readdir(join(dir, '.ocikit', 'quarantine'))).toHaveLength(2);
  });

  test('stays if the right bytes are pushed while it is checked', async () => {
    const { registry, upkeep } = opened(openLayouts(dir));
    const large = randomBlob(8_000_000);
    const path = join(dir, 'a', 'blobs', large.descriptor.digest.replace(':', '/'));
    await registry.pushBlob('a', large.descriptor, large.bytes);
    await writeFile(path, Buffer.alloc(8_000_000));
    const [isAside] = await Promise.all([
      upkeep.quarantine('a', large.descriptor.digest),
      registry.pushBlob('a', large.descriptor, large.bytes),
    ]);
    // Whichever came first, what was acknowledged is there.
    expect(await upkeep.verify('a', large.descriptor.digest)).toBe('ok');
    expect(typeof isAside).toBe('boolean');
  });
});

describe('orphans of a shared layout', () => {
  const write = async ({ descriptor, bytes }: { descriptor: { digest: Digest }; bytes: Uint8Array }): Promise<void> =>
    writeFile(join(dir, 'blobs', descriptor.digest.replace(':', '/')), bytes);

  test('are not what a manifest of an unknown kind names', async () => {
    const layer = randomBlob();
    const strange = manifestOf({ layers: [layer.descriptor] }, { mediaType: 'application/vnd.example.strange+json' });
    await mkdir(join(dir, 'blobs', 'sha256'), { recursive: true });
    await writeFile(join(dir, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    const entry = { ...strange.descriptor, annotations: { 'org.opencontainers.image.ref.name': 'app:v1' } };
    await writeFile(join(dir, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
    for (const content of [layer, strange]) await write(content);
    const { upkeep } = opened(openLayout(dir));
    expect(await collect(upkeep.orphans())).toEqual([]);
    const unusedSince = new Date(Date.now() + 60_000);
    expect(await upkeep.removeOrphan(layer.descriptor.digest, { unusedSince })).toBe(false);
  });

  test('are neither links nor files whose names are no digests', async () => {
    const { registry, upkeep } = opened(openLayout(dir));
    await pushContent(registry, 'app', imageOf(), { tags: ['v1'] });
    const blobs = join(dir, 'blobs', 'sha256');
    await symlink('/etc/passwd', join(blobs, 'a'.repeat(64)));
    await writeFile(join(blobs, 'note.txt'), 'not a blob');
    await writeFile(join(dir, 'outside'), 'x');
    await link(join(dir, 'outside'), join(blobs, 'b'.repeat(64)));
    expect((await collect(upkeep.orphans())).map(({ digest }) => digest)).toEqual([`sha256:${'b'.repeat(64)}`]);
  });
});
