// Cases for manifests that a registry has to refuse.
import { mediaTypes } from '../../model/index.ts';
import type { Descriptor, ErrorCode, Registry } from '../../model/index.ts';
import {
  assertManifest,
  assertNoManifest,
  assertNoRepository,
  assertNoTag,
  equal,
  group,
  holds,
  missingDescriptor,
  pushParts,
  rejects,
} from '../cases/index.ts';
import type { DefineGroup } from '../cases/index.ts';
import { blobOf, imageOf, indexOf, manifestOf, pushContent, randomBlob } from '../content/index.ts';
import type { TestManifest } from '../content/index.ts';

const { imageManifest, imageIndex } = mediaTypes;
const tooLong = `a/${'b'.repeat(254)}`;
const good = missingDescriptor(mediaTypes.layerGzip);

const image = (fields: Readonly<Record<string, unknown>>): TestManifest => imageOf({ fields });
const index = (fields: Readonly<Record<string, unknown>>): TestManifest => indexOf([], { fields });
const text = (bytes: string, mediaType: string = imageManifest): TestManifest => {
  const blob = blobOf(bytes, { mediaType });
  return { ...blob, mediaType, blobs: [], manifests: [] };
};

interface Malformed {
  readonly what: string;
  readonly manifest: () => TestManifest;
  /** The field that the error message has to name. */
  readonly field?: string;
  /** Default: MANIFEST_INVALID. */
  readonly code?: ErrorCode;
}

const malformed: readonly Malformed[] = [
  { what: 'something that is not JSON', manifest: () => text('{"schemaVersion":2,') },
  { what: 'no bytes at all', manifest: () => text('') },
  { what: 'a list', manifest: () => text('[]') },
  { what: 'null', manifest: () => text('null') },
  { what: 'a string', manifest: () => text('"manifest"') },
  {
    what: 'bytes that are not UTF-8',
    manifest: () => ({ ...text(''), ...blobOf(new Uint8Array([0x7b, 0xff, 0x7d])) }),
  },
  { what: 'an image of schemaVersion 1', manifest: () => image({ schemaVersion: 1 }), field: 'schemaVersion' },
  {
    what: 'an image without schemaVersion',
    manifest: () => image({ schemaVersion: undefined }),
    field: 'schemaVersion',
  },
  { what: 'an index of schemaVersion 1', manifest: () => index({ schemaVersion: 1 }), field: 'schemaVersion' },
  { what: 'an image without config', manifest: () => image({ config: undefined }), field: 'config' },
  { what: 'an image whose config is a string', manifest: () => image({ config: 'x' }), field: 'config' },
  { what: 'an image whose layers are no list', manifest: () => image({ layers: {} }), field: 'layers' },
  { what: 'an image with manifests', manifest: () => image({ manifests: [] }), field: 'manifests' },
  { what: 'an index with layers', manifest: () => index({ layers: [] }), field: 'layers' },
  { what: 'an index with a config', manifest: () => index({ config: good }), field: 'config' },
  { what: 'an index whose entries are no list', manifest: () => index({ manifests: 'x' }), field: 'manifests' },
  {
    what: 'a layer whose digest is too short',
    manifest: () => image({ layers: [{ ...good, digest: 'sha256:1234' }] }),
    field: 'layers[0].digest',
  },
  {
    what: 'a layer whose digest is in upper case',
    manifest: () => image({ layers: [good, { ...good, digest: `sha256:${'A'.repeat(64)}` }] }),
    field: 'layers[1].digest',
  },
  {
    what: 'a layer whose digest has an unknown algorithm',
    manifest: () => image({ layers: [{ ...good, digest: `md5:${'a'.repeat(32)}` }] }),
    field: 'layers[0].digest',
  },
  {
    what: 'a layer without a digest',
    manifest: () => image({ layers: [{ ...good, digest: undefined }] }),
    field: 'layers[0].digest',
  },
  {
    what: 'a layer with a negative size',
    manifest: () => image({ layers: [{ ...good, size: -1 }] }),
    field: 'layers[0].size',
  },
  {
    what: 'a layer whose size is a string',
    manifest: () => image({ layers: [{ ...good, size: '1' }] }),
    field: 'layers[0].size',
  },
  {
    what: 'a layer with too long a media type',
    manifest: () => image({ layers: [{ ...good, mediaType: tooLong }] }),
    field: 'layers[0].mediaType',
  },
  {
    what: 'a config with a malformed digest',
    manifest: () => image({ config: { ...good, digest: 'x' } }),
    field: 'config.digest',
  },
  {
    what: 'a config with too long a media type',
    manifest: () => image({ config: { ...good, mediaType: tooLong } }),
    field: 'config.mediaType',
  },
  {
    what: 'an entry with a malformed digest',
    manifest: () => index({ manifests: [{ ...good, digest: 'sha256:' }] }),
    field: 'manifests[0].digest',
  },
  {
    what: 'an entry with too long an artifact type',
    manifest: () => index({ manifests: [{ ...good, artifactType: tooLong }] }),
    field: 'manifests[0].artifactType',
  },
  {
    what: 'a subject with a malformed digest',
    manifest: () => image({ subject: { ...good, digest: 'sha256:x' } }),
    field: 'subject.digest',
  },
  { what: 'too long an artifact type', manifest: () => image({ artifactType: tooLong }), field: 'artifactType' },
  {
    what: 'an artifact type with a line break',
    manifest: () => image({ artifactType: 'a\nb' }),
    field: 'artifactType',
  },
  {
    what: 'an annotation with too long a key',
    manifest: () => image({ annotations: { ['k'.repeat(256)]: 'v' } }),
    field: 'annotations',
  },
  { what: 'an annotation that is no string', manifest: () => image({ annotations: { key: 1 } }), field: 'annotations' },
  { what: 'an image that says it is an index', manifest: () => image({ mediaType: imageIndex }), field: 'mediaType' },
  {
    what: 'an index that says it is an image',
    manifest: () => index({ mediaType: imageManifest }),
    field: 'mediaType',
  },
  {
    what: 'a Docker image that says it is an OCI image',
    manifest: () => ({ ...image({}), mediaType: mediaTypes.dockerManifest }),
    field: 'mediaType',
  },
  {
    what: 'a manifest of an unknown type',
    manifest: () => ({ ...image({ mediaType: undefined }), mediaType: 'application/vnd.example.manifest+json' }),
    code: 'UNSUPPORTED_MEDIA_TYPE',
  },
  {
    what: 'a manifest of the type of JSON',
    manifest: () => ({ ...image({ mediaType: undefined }), mediaType: 'application/json' }),
    code: 'UNSUPPORTED_MEDIA_TYPE',
  },
  {
    what: 'a manifest of the type of bytes',
    manifest: () => ({ ...image({ mediaType: undefined }), mediaType: mediaTypes.octetStream }),
    code: 'UNSUPPORTED_MEDIA_TYPE',
  },
  {
    what: 'a config as a manifest',
    manifest: () => ({ ...image({}), mediaType: mediaTypes.imageConfig }),
    code: 'UNSUPPORTED_MEDIA_TYPE',
  },
];

/** The cases for manifests that are malformed. */
export const refusedManifests: DefineGroup = group('checking manifests', ['writing'], (test) => {
  for (const { what, manifest, field, code = 'MANIFEST_INVALID' } of malformed) {
    test(`refuses ${what}${field === undefined ? '' : `, naming ${field}`}`, async (scene) => {
      const { registry } = scene;
      const name = scene.repository();
      const made = manifest();
      const push = registry.pushManifest(name, made.bytes, made.mediaType, { tags: ['v1'] });
      const error = await rejects(push, code);
      if (field !== undefined)
        holds(error.message.includes(field), `expected a message that names ${field}, but it is: ${error.message}`);
      await assertNoRepository(scene, name, made.descriptor.digest);
    });
  }

  test('changes nothing if it refuses a manifest', async ({ registry, repository }) => {
    const name = repository();
    const before = imageOf();
    await pushContent(registry, name, before, { tags: ['v1'] });
    const bad = image({ schemaVersion: 1 });
    await rejects(registry.pushManifest(name, bad.bytes, bad.mediaType, { tags: ['v1', 'v2'] }), 'MANIFEST_INVALID');
    await assertManifest(registry, name, before, 'v1');
    await assertNoManifest(registry, name, bad.descriptor.digest);
    await assertNoTag(registry, name, 'v2');
  });
});

const incomplete: readonly [what: string, make: () => TestManifest][] = [
  ['an image whose config', () => imageOf({ config: missingDescriptor(mediaTypes.imageConfig) })],
  ['an image whose only layer', () => imageOf({ layers: [missingDescriptor(mediaTypes.layerGzip)] })],
  [
    'an image whose last layer',
    () => imageOf({ layers: [randomBlob(), randomBlob(), missingDescriptor(mediaTypes.layer)] }),
  ],
  [
    'an image whose layer, though its list of urls is empty,',
    () => imageOf({ layers: [{ ...missingDescriptor(mediaTypes.layer), urls: [] }] }),
  ],
  ['an index whose only entry', () => indexOf([missingDescriptor(imageManifest)])],
  ['an index whose last entry', () => indexOf([imageOf(), missingDescriptor(imageManifest)])],
  [
    'a Docker image whose layer',
    () => imageOf({ mediaType: mediaTypes.dockerManifest, layers: [missingDescriptor(mediaTypes.dockerLayer)] }),
  ],
  [
    'an artifact manifest whose blob',
    () => {
      const blobs = [missingDescriptor('text/plain')];
      const document = { mediaType: mediaTypes.artifactManifest, artifactType: 'application/vnd.example.a', blobs };
      return manifestOf(document, { mediaType: mediaTypes.artifactManifest });
    },
  ],
];

/** The cases for manifests that name missing content. */
export const incompleteManifests: DefineGroup = group('checking the links of a manifest', ['writing'], (test) => {
  for (const [what, make] of incomplete) {
    test(`refuses ${what} is missing`, ['strict links'], async (scene) => {
      const { registry } = scene;
      const name = scene.repository();
      const manifest = make();
      await rejects(registry.pushManifest(name, manifest.bytes, manifest.mediaType), 'MANIFEST_BLOB_UNKNOWN', 'alone');
      await assertNoRepository(scene, name, manifest.descriptor.digest);
      // The repository exists as soon as it has content.
      const other = randomBlob();
      await registry.pushBlob(name, other.descriptor, other.bytes);
      await pushParts(registry, name, manifest);
      await refuses(registry, name, manifest);
    });

    test(`accepts ${what} is missing`, ['sparse'], async ({ registry, repository }) => {
      const name = repository();
      const manifest = make();
      await pushContent(registry, name, manifest, { tags: ['v1'] });
      await assertManifest(registry, name, manifest, 'v1');
    });
  }

  test(
    'refuses an image whose layer only another repository has',
    ['strict links'],
    async ({ registry, repository }) => {
      const [has, lacks] = [repository(), repository()];
      const layer = randomBlob();
      const made = imageOf({ layers: [layer] });
      await pushContent(registry, has, made);
      const config = made.blobs[0] ?? layer;
      await registry.pushBlob(lacks, config.descriptor, config.bytes);
      await refuses(registry, lacks, made);
      await registry.mountBlob(has, lacks, layer.descriptor.digest);
      await pushContent(registry, lacks, made, { tags: ['v1'] });
      await assertManifest(registry, lacks, made, 'v1');
    },
  );

  test(
    'refuses an index whose entry is a blob, but no manifest',
    ['strict links'],
    async ({ registry, repository }) => {
      const name = repository();
      const entry = imageOf();
      await registry.pushBlob(name, entry.descriptor, entry.bytes);
      await refuses(registry, name, indexOf([entry]));
    },
  );

  test('refuses an image whose layer has been deleted', ['strict links'], async ({ registry, repository }) => {
    const name = repository();
    const layer = randomBlob();
    const made = imageOf({ layers: [layer] });
    await pushParts(registry, name, made);
    await registry.deleteBlob(name, layer.descriptor.digest);
    await refuses(registry, name, made);
  });

  test(
    'refuses descriptors whose size differs from the size of the content',
    ['strict links'],
    async ({ registry, repository }) => {
      const name = repository();
      const layer = randomBlob(100);
      const entry = imageOf({ layers: [layer] });
      await pushContent(registry, name, entry);
      const config = entry.blobs[0] ?? layer;
      const wrong = ({ descriptor }: { descriptor: Descriptor }, by: number): Descriptor => {
        return { ...descriptor, size: descriptor.size + by };
      };
      const urls = ['https://example.com/content'];
      const refused: [string, TestManifest][] = [
        ['a layer that is too large', imageOf({ config: config.descriptor, layers: [wrong(layer, 1)] })],
        ['a layer that is too small', imageOf({ config: config.descriptor, layers: [wrong(layer, -1)] })],
        ['a layer with URLs', imageOf({ config: config.descriptor, layers: [{ ...wrong(layer, 1), urls }] })],
        ['a config', imageOf({ config: wrong(config, 1), layers: [layer.descriptor] })],
        ['an entry', indexOf([wrong(entry, 1)])],
      ];
      for (const [what, { bytes, mediaType }] of refused) {
        await rejects(registry.pushManifest(name, bytes, mediaType, { tags: ['v1'] }), 'MANIFEST_INVALID', what);
        await assertNoTag(registry, name, 'v1');
      }
      const right = imageOf({ config: config.descriptor, layers: [layer.descriptor] });
      await registry.pushManifest(name, right.bytes, right.mediaType, { tags: ['v1'] });
    },
  );

  test('does not need content that can be fetched elsewhere', async ({ registry, repository }) => {
    const name = repository();
    const urls = ['https://example.com/content'];
    const elsewhere = imageOf({
      config: { ...missingDescriptor(mediaTypes.imageConfig), urls },
      layers: [{ ...missingDescriptor(mediaTypes.layerGzip), urls }],
    });
    await pushContent(registry, name, elsewhere, { tags: ['image'] });
    await assertManifest(registry, name, elsewhere, 'image');
    const entries = indexOf([{ ...missingDescriptor(imageManifest), urls }]);
    await pushContent(registry, name, entries, { tags: ['index'] });
    await assertManifest(registry, name, entries, 'index');
  });
});

async function refuses(registry: Registry, name: string, manifest: TestManifest): Promise<void> {
  const { digest } = manifest.descriptor;
  const options = { digest, tags: ['v1'] };
  const push = registry.pushManifest(name, manifest.bytes, manifest.mediaType, options);
  await rejects(push, 'MANIFEST_BLOB_UNKNOWN');
  await assertNoManifest(registry, name, digest);
  await assertNoTag(registry, name, 'v1');
  equal(await firstTag(registry, name), undefined, 'the first tag');
}

async function firstTag(registry: Registry, name: string): Promise<string | undefined> {
  for await (const tag of registry.tags(name, { limit: 1 })) return tag;
  return undefined;
}
