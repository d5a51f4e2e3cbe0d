// The contents that the official suite pushes.
import { mediaTypes } from '../../model/index.ts';
import type { Descriptor, Digest, Platform } from '../../model/index.ts';
import { foreignLayer, missingDescriptor } from '../cases/index.ts';
import { artifactOf, blobOf, emptyJson, imageOf, indexOf, randomBlob, randomName } from '../content/index.ts';
import type { ArtifactOptions, ImageOptions, TestBlob, TestManifest } from '../content/index.ts';

/** A content that the official suite pushes, lists, reads and deletes. */
export interface OfficialContent {
  /** Its blobs, each once. */
  readonly blobs: ReadonlyMap<Digest, TestBlob>;
  /** Its manifests, each after those that it names. */
  readonly manifests: readonly TestManifest[];
  /** The manifest of each tag. */
  readonly tags: ReadonlyMap<string, TestManifest>;
  /** The tags are set together with the push by digest. */
  readonly tagsWithDigest?: boolean;
  /** The manifest that some of its manifests refer to. */
  readonly subject?: Digest;
  /** The subject's referrers, as they are listed. */
  readonly referrers?: readonly Descriptor[];
}

const [typeA, typeB] = ['application/vnd.example.contract.v1', 'application/vnd.example.contract.v2'];
const platforms: readonly Platform[] = ['amd64', 'arm64'].map((architecture) => ({ os: 'linux', architecture }));

/** Two layers; images of the same platform have the same config. */
function image(options: ImageOptions = {}): TestManifest {
  const { algorithm, platform = platforms[0] } = options;
  const config = JSON.stringify({ ...platform, rootfs: { type: 'layers', diff_ids: [] } });
  return imageOf({
    config: blobOf(config, { mediaType: mediaTypes.imageConfig, algorithm }),
    layers: layers(2, { algorithm }),
    annotations: { unique: randomName() },
    ...options,
  });
}

function layers(count: number, options: { mediaType?: string; algorithm?: string | undefined } = {}): TestBlob[] {
  return Array.from({ length: count }, () => randomBlob(600, { mediaType: mediaTypes.layerGzip, ...options }));
}

/** An image for each of two platforms. */
function index(options: ImageOptions = {}): TestManifest {
  const { algorithm, fields } = options;
  return indexOf(
    platforms.map((platform) => image({ ...options, platform })),
    { algorithm, fields },
  );
}

function artifact(options: ArtifactOptions): TestManifest {
  return artifactOf({ annotations: { greeting: 'hello', unique: randomName() }, ...options });
}

function contentOf(
  tags: Readonly<Record<string, TestManifest>>,
  ...untagged: readonly TestManifest[]
): OfficialContent {
  const blobs = new Map<Digest, TestBlob>();
  const manifests = new Map<Digest, TestManifest>();
  const add = (manifest: TestManifest): void => {
    for (const blob of manifest.blobs) blobs.set(blob.descriptor.digest, blob);
    manifest.manifests.forEach(add);
    manifests.set(manifest.descriptor.digest, manifest);
  };
  [...untagged, ...Object.values(tags)].forEach(add);
  return { blobs, manifests: [...manifests.values()], tags: new Map(Object.entries(tags)) };
}

function tagsWithDigest(tag: string, algorithm: string): OfficialContent {
  const top = index({ algorithm });
  const all = contentOf({ [tag]: top });
  const numbered = all.manifests.map((manifest, i) => [`${tag}-${i}`, manifest] as const);
  return { ...all, tags: new Map([...all.tags, ...numbered]), tagsWithDigest: true };
}

/** The descriptor by which a referrer is listed. */
function listed({ descriptor }: TestManifest, more: Pick<Descriptor, 'artifactType' | 'annotations'>): Descriptor {
  return { ...descriptor, ...more };
}

const annotations = (): Record<string, string> => ({
  greeting: 'hello',
  [`org.example.${randomName()}`]: randomName(),
});

function artifactsWithSubject(): OfficialContent {
  const top = image();
  const subject = top.descriptor;
  const [ofA, ofB] = [annotations(), annotations()];
  const plain = image({ subject, annotations: undefined });
  const a = artifact({ artifactType: typeA, subject, annotations: ofA });
  const b = artifact({ artifactType: typeB, subject, annotations: ofB });
  return {
    ...contentOf({ image: top, 'tagged-artifact1': a, 'tagged-artifact2': b }, plain),
    subject: subject.digest,
    referrers: [
      listed(plain, { artifactType: mediaTypes.imageConfig }),
      listed(a, { artifactType: typeA, annotations: ofA }),
      listed(b, { artifactType: typeB, annotations: ofB }),
    ],
  };
}

function indexWithSubject(): OfficialContent {
  const top = index();
  const subject = top.descriptor;
  const said = annotations();
  const entries = platforms.map((platform) => artifact({ artifactType: typeA, subject, annotations: said, platform }));
  const refers = indexOf(entries, { artifactType: typeA, subject, annotations: said });
  return {
    ...contentOf({ index: top, 'tagged-artifact': refers }),
    subject: subject.digest,
    referrers: [...entries, refers].map((entry) => listed(entry, { artifactType: typeA, annotations: said })),
  };
}

function missingSubject(): OfficialContent {
  const subject = missingDescriptor(mediaTypes.imageManifest);
  const said = annotations();
  const refers = artifact({ artifactType: typeA, subject, annotations: said });
  return {
    ...contentOf({ 'tagged-artifact': refers }),
    subject: subject.digest,
    referrers: [listed(refers, { artifactType: typeA, annotations: said })],
  };
}

function dataField(): OfficialContent {
  const config = blobOf(JSON.stringify(platforms[0]), { mediaType: mediaTypes.imageConfig });
  const parts = layers(2);
  const withData = ({ descriptor, bytes }: TestBlob): Descriptor => ({
    ...descriptor,
    data: btoa(String.fromCharCode(...bytes)),
  });
  const fields = { config: withData(config), layers: parts.map(withData) };
  return contentOf({ 'data-field': imageOf({ config, layers: parts, fields }) });
}

function nonDistributable(): OfficialContent {
  const elsewhere = ['tar+gzip', 'tar'].map((format) =>
    foreignLayer(`application/vnd.oci.image.layer.nondistributable.v1.${format}`),
  );
  return contentOf({ 'non-distributable-image': image({ layers: [...elsewhere, ...layers(1)] }) });
}

function customFields(): OfficialContent {
  const custom = (): Record<string, string> => ({ [`org.${randomName()}`]: randomName() });
  const images = platforms.map((platform) =>
    image({
      platform,
      config: blobOf(JSON.stringify({ ...platform, ...custom() }), { mediaType: mediaTypes.imageConfig }),
      fields: custom(),
    }),
  );
  return contentOf({ 'custom-fields': indexOf(images, { fields: custom() }) });
}

function sparse(): OfficialContent {
  const incomplete = image({ layers: [missingDescriptor(mediaTypes.layerGzip), ...layers(1)] });
  const partial = indexOf([
    image(),
    { ...missingDescriptor(mediaTypes.imageManifest), platform: { os: 'linux', architecture: 'arm64' } },
  ]);
  return contentOf({ 'sparse-image': incomplete, 'sparse-index': partial });
}

/** The kinds of content that the official suite pushes, lists, reads and deletes. */
export const officialContents: Readonly<Record<string, () => OfficialContent>> = {
  image: () => contentOf({ image: image() }),
  'image-uncompressed': () =>
    contentOf({ 'image-uncompressed': image({ layers: layers(2, { mediaType: mediaTypes.layer }) }) }),
  'large-manifest': () => contentOf({ 'large-manifest': image({ annotations: large() }) }),
  index: () => contentOf({ index: index() }),
  'nested-index': () => contentOf({ 'index-of-index': indexOf([index(), index()]) }),
  'empty-index': () => contentOf({ index: indexOf([]) }),
  artifact: () => contentOf({ artifact: artifact({ artifactType: typeA }) }),
  'artifact-index': () =>
    contentOf({
      'artifact-index': indexOf(
        platforms.map((platform) => artifact({ artifactType: typeA, platform })),
        { artifactType: typeA },
      ),
    }),
  'artifact-without-layers': () =>
    contentOf({ 'artifact-without-layers': artifact({ artifactType: typeA, layers: [emptyJson()] }) }),
  'artifacts-with-subject': artifactsWithSubject,
  'index-with-subject': indexWithSubject,
  'missing-subject': missingSubject,
  'data-field': dataField,
  'non-distributable-layers': nonDistributable,
  'custom-fields': customFields,
  'no-layers': () => contentOf({ 'no-layers': image({ layers: [] }) }),
  sparse,
  sha512: () => contentOf({}, index({ algorithm: 'sha512' })),
  'tag-param-sha256': () => tagsWithDigest('tag-param-sha256', 'sha256'),
  'tag-param-sha512': () => tagsWithDigest('tag-param-sha512', 'sha512'),
};

/** An image whose blobs are pushed before the manifest is refused. */
export function imageToRefuse(layerCount: number): OfficialContent {
  return contentOf({}, image({ layers: layers(layerCount) }));
}

/** 390 annotations of 10,000 characters each. */
function large(): Record<string, string> {
  return Object.fromEntries(Array.from({ length: 390 }, (_, i) => [`large-${i}`, 'A'.repeat(10_000)]));
}
