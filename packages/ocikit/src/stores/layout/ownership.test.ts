// The owners of content in a shared layout: a pushed manifest proves nothing, whatever happens to index and snapshot.
import { mkdtemp, readFile, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { collect, digestOf, splitDigest } from '../../model/index.ts';
import type { Descriptor } from '../../model/index.ts';
import { artifactOf, blobOf, imageOf, indexOf, pushContent } from '../../testing/index.ts';
import type { TestManifest } from '../../testing/index.ts';
import { collectGarbage } from '../../upkeep/index.ts';

import { openLayout } from './index.ts';
import type { LayoutRegistry } from './index.ts';

let root: string;
const opened: LayoutRegistry[] = [];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ocikit-ownership-'));
});
afterEach(async () => {
  for (const registry of opened.splice(0)) await registry.close();
  await rm(root, { recursive: true });
});

function open(sparse = false): LayoutRegistry {
  const registry = openLayout(root, { durability: 'none', sparse });
  opened.push(registry);
  return registry;
}

const secret = blobOf('the secret of another repository');
const secretImage = imageOf({ layers: [secret] });
const own = blobOf('content of its own');
const ownImage = imageOf({ layers: [own] });
const urls = ['https://example.com/'];

interface Attack {
  sparse: boolean;
  /** The manifests that a client pushes to `evil`. */
  manifests: TestManifest[];
}

const withUrls = (descriptor: Descriptor): Descriptor => ({ ...descriptor, urls });

const attacks: Record<string, Attack> = {
  'an image that names the blob with urls': {
    sparse: false,
    manifests: [imageOf({ layers: [own, withUrls(secret.descriptor)] })],
  },
  'an image that names the blob with urls as its config': {
    sparse: false,
    manifests: [imageOf({ config: withUrls(secret.descriptor), layers: [own] })],
  },
  'an image that names the blob, in a sparse root': {
    sparse: true,
    manifests: [imageOf({ layers: [own, secret.descriptor] })],
  },
  'an index that names the image with urls': {
    sparse: false,
    manifests: [indexOf([ownImage, withUrls(secretImage.descriptor)])],
  },
  'an index that names the image, in a sparse root': {
    sparse: true,
    manifests: [indexOf([ownImage, secretImage.descriptor])],
  },
  'an index that names the blob as a manifest with urls': {
    sparse: false,
    manifests: [
      indexOf([withUrls({ ...secretImage.descriptor, ...secret.descriptor, mediaType: secretImage.mediaType })]),
    ],
  },
  'an artifact whose subject is the image': {
    sparse: false,
    manifests: [artifactOf({ artifactType: 'a/b', subject: secretImage.descriptor })],
  },
  'an image that names very much with urls': {
    sparse: false,
    manifests: [
      imageOf({
        layers: [
          own,
          ...Array.from({ length: 200 }, (_, i) => withUrls(blobOf(`absent ${i}`).descriptor)),
          withUrls(secret.descriptor),
        ],
      }),
    ],
  },
  'two images, of which the second one has a longer list': {
    sparse: true,
    manifests: [
      imageOf({ layers: [secret.descriptor] }),
      indexOf([imageOf({ layers: [own, secret.descriptor] }), secretImage.descriptor]),
    ],
  },
};

const indexPath = (): string => join(root, 'index.json');

async function editIndex(change: (entries: Record<string, unknown>[]) => unknown[]): Promise<void> {
  const index = JSON.parse(await readFile(indexPath(), 'utf8')) as { manifests: Record<string, unknown>[] };
  await writeFile(indexPath(), JSON.stringify({ ...index, manifests: change(index.manifests) }, undefined, '\t'));
}

function sorted(fields: object): object {
  const entries = Object.entries(fields);
  return Object.fromEntries(entries.toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

/** As a tool in Go writes entries: with the fields of the specification, and annotations in byte order. */
function asInGo(entries: Record<string, unknown>[]): unknown[] {
  return entries.map(({ annotations, size, digest, mediaType }) => ({
    mediaType,
    digest,
    size,
    annotations: sorted(annotations ?? {}),
  }));
}

const other = imageOf();
const otherEntry = { ...other.descriptor, annotations: { 'org.opencontainers.image.ref.name': 'other:v1' } };

const losses: Record<string, () => Promise<void>> = {
  'nothing is lost': async () => undefined,
  '`.ocikit` is lost': () => rm(join(root, '.ocikit'), { recursive: true }),
  'the snapshot is lost': () => rm(join(root, '.ocikit/snapshots'), { recursive: true }),
  'the snapshot is damaged': async () => {
    const dir = join(root, '.ocikit/snapshots');
    for (const name of await readdir(dir)) await writeFile(join(dir, name), '{"index":');
  },
  'another tool has written the index again': () => editIndex(asInGo),
  'another tool has added an entry': () => editIndex((entries) => [...entries, otherEntry]),
  'another tool has added an entry, and `.ocikit` is lost': async () => {
    await editIndex((entries) => [otherEntry, ...asInGo(entries)]);
    await rm(join(root, '.ocikit'), { recursive: true });
  },
  'another tool has dropped all annotations but the names': () =>
    editIndex((entries) =>
      entries.map(({ annotations, ...entry }) => ({
        ...entry,
        annotations: {
          'org.opencontainers.image.ref.name': (annotations as Record<string, string>)[
            'org.opencontainers.image.ref.name'
          ],
        },
      })),
    ),
  'another tool has copied the manifests to another tag': () =>
    editIndex((entries) => [
      ...entries,
      ...entries.flatMap(({ mediaType, digest, size, annotations }) => {
        const name = String((annotations as Record<string, string>)['org.opencontainers.image.ref.name']);
        if (!name.startsWith('evil')) return [];
        return [
          {
            mediaType,
            digest,
            size,
            annotations: { 'org.opencontainers.image.ref.name': `evil:copy-${String(digest).slice(7, 20)}` },
          },
        ];
      }),
    ]),
};

async function pushTo(registry: LayoutRegistry, manifests: readonly TestManifest[]): Promise<void> {
  await pushContent(registry, 'evil', ownImage, { tags: ['own'] });
  for (const [i, manifest] of manifests.entries()) {
    for (const { descriptor, bytes } of manifest.blobs) {
      if (descriptor.digest !== secret.descriptor.digest) await registry.pushBlob('evil', descriptor, bytes);
    }
    for (const child of manifest.manifests) {
      await registry.pushManifest('evil', child.bytes, child.mediaType);
    }
    await registry.pushManifest('evil', manifest.bytes, manifest.mediaType, i % 2 === 0 ? { tags: [`v${i}`] } : {});
  }
}

async function expectPrivate(registry: LayoutRegistry, repository = 'evil'): Promise<void> {
  await expect(registry.resolveBlob(repository, secret.descriptor.digest)).rejects.toMatchObject({
    code: 'BLOB_UNKNOWN',
  });
  await expect(registry.getBlob(repository, secret.descriptor.digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
  for (const { digest } of [secretImage.descriptor, secret.descriptor]) {
    await expect(registry.getManifest(repository, digest)).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
  }
  const mounted = await registry.mountBlob(repository, 'third', secret.descriptor.digest);
  expect('upload' in mounted).toBe(true);
  if ('upload' in mounted) await mounted.upload?.cancel();
}

async function expectOwn(registry: LayoutRegistry, manifests: readonly TestManifest[]): Promise<void> {
  for (const manifest of manifests) {
    expect((await registry.getManifest('evil', manifest.descriptor.digest)).bytes).toEqual(manifest.bytes);
  }
  expect((await registry.resolveTag('evil', 'own')).digest).toBe(ownImage.descriptor.digest);
  for (const { descriptor } of ownImage.blobs) await registry.resolveBlob('evil', descriptor.digest);
  expect((await registry.resolveTag('private', 'v1')).digest).toBe(secretImage.descriptor.digest);
  for (const { descriptor } of secretImage.blobs) await registry.resolveBlob('private', descriptor.digest);
}

describe.each(Object.entries(attacks))('the content of another repository is not opened by %s', (_attack, attack) => {
  test.each(Object.entries(losses))('when %s', async (_loss, lose) => {
    const registry = open(attack.sparse);
    await pushContent(registry, 'private', secretImage, { tags: ['v1'] });
    await pushTo(registry, attack.manifests);
    await expectPrivate(registry);
    await registry.close();
    await lose();
    const again = open(attack.sparse);
    await expectPrivate(again);
    await expectOwn(again, attack.manifests);
    await pushContent(again, 'third', imageOf(), { tags: ['v1'] });
    await again.close();
    // The findings must be in the index now.
    await rm(join(root, '.ocikit'), { recursive: true });
    const last = open(attack.sparse);
    await expectPrivate(last);
    await expectOwn(last, attack.manifests);
  });

  test('when another tool edits the index of a running registry', async () => {
    const registry = open(attack.sparse);
    await pushContent(registry, 'private', secretImage, { tags: ['v1'] });
    await pushTo(registry, attack.manifests);
    await registry.fold();
    await editIndex((entries) => [...entries, otherEntry]);
    await pushContent(registry, 'third', imageOf(), { tags: ['v1'] });
    await registry.fold();
    await expectPrivate(registry);
    await expectOwn(registry, attack.manifests);
  });

  test('when another tool edits the index while the pushes are only in the journal', async () => {
    const registry = open(attack.sparse);
    await pushContent(registry, 'private', secretImage, { tags: ['v1'] });
    await registry.fold();
    await pushTo(registry, attack.manifests);
    await editIndex((entries) => [...entries, otherEntry]);
    const reader = open(attack.sparse);
    for (const { digest } of [secretImage.descriptor, secret.descriptor]) {
      await expect(reader.resolveManifest('evil', digest)).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
      await expect(reader.resolveBlob('evil', digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    }
    await registry.fold();
    await registry.close();
    await rm(join(root, '.ocikit'), { recursive: true });
    await expectPrivate(open(attack.sparse));
  });
});

test('content that a repository gets after its manifest belongs to it, also without `.ocikit`', async () => {
  const registry = open(true);
  const image = imageOf({ layers: [own, blobOf('comes later')] });
  await registry.pushManifest('app', image.bytes, image.mediaType, { tags: ['v1'] });
  await registry.fold();
  expect(await readFile(indexPath(), 'utf8')).toContain('dev.ocikit.unowned');
  for (const { descriptor, bytes } of image.blobs) await registry.pushBlob('app', descriptor, bytes);
  await registry.close();
  expect(await readFile(indexPath(), 'utf8')).not.toContain('dev.ocikit.unowned');
  await rm(join(root, '.ocikit'), { recursive: true });
  const again = open(true);
  for (const { descriptor } of image.blobs) await again.resolveBlob('app', descriptor.digest);
});

test.each(['blob', 'manifest'] as const)(
  'a %s that a client has deleted is not given back by what still names it',
  async (what) => {
    const registry = open();
    await pushContent(registry, 'private', secretImage, { tags: ['v1'] });
    const list = indexOf([secretImage, ownImage]);
    await pushContent(registry, 'evil', list, { tags: ['v1'] });
    await registry.fold();
    if (what === 'blob') await registry.deleteBlob('evil', secret.descriptor.digest);
    else await registry.deleteManifest('evil', secretImage.descriptor.digest);
    await registry.close();
    await rm(join(root, '.ocikit'), { recursive: true });
    const again = open();
    const asked =
      what === 'blob'
        ? again.resolveBlob('evil', secret.descriptor.digest)
        : again.resolveManifest('evil', secretImage.descriptor.digest);
    await expect(asked).rejects.toMatchObject({ code: what === 'blob' ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN' });
    for (const { descriptor } of ownImage.blobs) await again.resolveBlob('evil', descriptor.digest);
  },
);

test('an annotation that is no list proves nothing', async () => {
  const registry = open();
  await pushContent(registry, 'private', secretImage, { tags: ['v1'] });
  await pushContent(registry, 'evil', secretImage, { tags: ['v1'] });
  await registry.close();
  await rm(join(root, '.ocikit'), { recursive: true });
  for (const value of [7, null, '', 'sha256:x', ['*']]) {
    await editIndex((entries) =>
      entries.map((entry) => ({
        ...entry,
        annotations: { ...(entry['annotations'] as object), 'dev.ocikit.unowned': value },
      })),
    );
    const again = openLayout(root, { durability: 'none' });
    await expect(again.resolveBlob('evil', secret.descriptor.digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    await again.close();
  }
});

describe('a root of version 0.1.0', () => {
  /** Takes away what that version did not write. */
  async function makeOld(): Promise<void> {
    await editIndex((entries) =>
      entries.map(({ annotations, ...entry }) => {
        const { 'dev.ocikit.unowned': _, ...rest } = annotations as Record<string, string>;
        return { ...entry, annotations: rest };
      }),
    );
    const index = JSON.parse(await readFile(indexPath(), 'utf8')) as { manifests: object[] };
    const { manifests, ...head } = index;
    const lines = manifests.map((entry) => JSON.stringify(entry)).join(',\n');
    const text = `${JSON.stringify(head).slice(0, -1)},"manifests":[\n${lines}\n]}\n`;
    await writeFile(indexPath(), text);
    const sha256 = splitDigest(digestOf(new TextEncoder().encode(text))).encoded;
    const dir = join(root, '.ocikit/snapshots');
    for (const name of await readdir(dir)) {
      const found = (await readFile(join(dir, name), 'utf8')).trimEnd().split('\n').slice(1);
      const kept = found.filter((line) => !line.includes('"untagged"') && !line.includes('"unowned"'));
      await writeFile(join(dir, name), [JSON.stringify({ index: sha256 }), ...kept, ''].join('\n'));
    }
  }

  const entries = Object.entries(attacks);

  test.each(entries)('with its snapshot opens as before, and learns what %s does not prove', async (_name, attack) => {
    const registry = open(attack.sparse);
    await pushContent(registry, 'private', secretImage, { tags: ['v1'] });
    await pushTo(registry, attack.manifests);
    await registry.close();
    await makeOld();
    const again = open(attack.sparse);
    await expectPrivate(again);
    await expectOwn(again, attack.manifests);
    await pushContent(again, 'third', imageOf(), { tags: ['v1'] });
    await again.close();
    await rm(join(root, '.ocikit'), { recursive: true });
    const last = open(attack.sparse);
    await expectPrivate(last);
    await expectOwn(last, attack.manifests);
  });

  test.each(entries)(
    'with a stale snapshot opens nothing by %s, and serves what another tool wrote',
    async (_name, attack) => {
      const registry = open(attack.sparse);
      await pushContent(registry, 'private', secretImage, { tags: ['v1'] });
      await pushTo(registry, attack.manifests);
      await registry.close();
      await makeOld();
      for (const { descriptor, bytes } of [other, ...other.blobs]) {
        const path = join(root, 'blobs', descriptor.digest.replace(':', '/'));
        await writeFile(path, bytes);
        const later = new Date(Date.now() + 60_000);
        await utimes(path, later, later);
      }
      await editIndex((all) => [...all, otherEntry]);
      const again = open(attack.sparse);
      await expectPrivate(again);
      await expectOwn(again, attack.manifests);
      for (const { descriptor } of other.blobs) await again.resolveBlob('other', descriptor.digest);
      await pushContent(again, 'third', imageOf(), { tags: ['v1'] });
      await again.close();
      await rm(join(root, '.ocikit'), { recursive: true });
      await expectPrivate(open(attack.sparse));
    },
  );
});

test('nothing of the list stays when all content is collected', async () => {
  const registry = open(true);
  const image = imageOf({ layers: [secret.descriptor] });
  await pushTo(registry, [image]);
  await registry.deleteTag('evil', 'v0');
  await registry.deleteTag('evil', 'own');
  await new Promise((resolve) => setTimeout(resolve, 10));
  await collectGarbage(registry, { gracePeriod: 0 });
  await registry.close();
  expect(await readFile(indexPath(), 'utf8')).not.toContain('sha256');
  expect(await collect(open().repositories())).toEqual([]);
});
