import { mediaTypes } from '../../model/index.ts';
import type { Descriptor, Platform } from '../../model/index.ts';

import { blobOf, emptyJson, randomBlob } from './blobs.ts';
import type { TestBlob } from './blobs.ts';
import { randomName } from './random.ts';

/** A manifest together with everything that has to be pushed before it. */
export interface TestManifest extends TestBlob {
  readonly mediaType: string;
  /** Config, layers or an artifact's blobs. */
  readonly blobs: readonly TestBlob[];
  /** An index's entries. */
  readonly manifests: readonly TestManifest[];
  /** What an index says about it. */
  readonly platform?: Platform | undefined;
}

/** What {@link manifestOf} has to know besides the document. */
export interface DocumentOptions {
  mediaType: string;
  algorithm?: string | undefined;
  blobs?: readonly TestBlob[] | undefined;
  manifests?: readonly TestManifest[] | undefined;
  platform?: Platform | undefined;
}

/** Any document as a manifest: {@link imageOf}, {@link indexOf} and {@link artifactOf} make the usual ones. */
export function manifestOf(document: object, options: DocumentOptions): TestManifest {
  const { mediaType, algorithm, blobs = [], manifests = [], platform } = options;
  const blob = blobOf(JSON.stringify(document), { mediaType, algorithm });
  return { ...blob, mediaType, blobs, manifests, platform };
}

export interface ManifestOptions {
  algorithm?: string | undefined;
  artifactType?: string | undefined;
  subject?: Descriptor | undefined;
  annotations?: Readonly<Record<string, string>> | undefined;
  /** Any other fields. They take the place of those that are made here; undefined leaves a field out. */
  fields?: Readonly<Record<string, unknown>> | undefined;
}

export interface ImageOptions extends ManifestOptions {
  /** An OCI image manifest if it is left out. */
  mediaType?: string | undefined;
  /** One that names the platform if it is left out. A mere descriptor is named, but not pushed. */
  config?: TestBlob | Descriptor | undefined;
  /** One of random bytes if they are left out. A mere descriptor is named, but not pushed. */
  layers?: readonly (TestBlob | Descriptor)[] | undefined;
  /** `linux/amd64` if it is left out. */
  platform?: Platform | undefined;
}

/**
 * An image that exists nowhere else: its config holds random bytes.
 *
 * @example
 * const image = imageOf({ layers: [randomBlob(5_000_000)], annotations: { 'org.example.of': 'a test' } });
 * await pushContent(registry, 'library/example', image, { tags: ['latest'] });
 */
export function imageOf(options: ImageOptions = {}): TestManifest {
  const {
    mediaType = mediaTypes.imageManifest,
    platform = { os: 'linux', architecture: 'amd64' },
    algorithm,
  } = options;
  const docker = mediaType === mediaTypes.dockerManifest;
  const config =
    options.config ??
    blobOf(JSON.stringify({ ...platform, rootfs: { type: 'layers', diff_ids: [] }, author: randomName() }), {
      mediaType: docker ? mediaTypes.dockerConfig : mediaTypes.imageConfig,
      algorithm,
    });
  const layers = options.layers ?? [
    randomBlob(1024, { mediaType: docker ? mediaTypes.dockerLayer : mediaTypes.layerGzip, algorithm }),
  ];
  const document = {
    schemaVersion: 2,
    mediaType,
    artifactType: options.artifactType,
    config: descriptorOf(config),
    layers: layers.map(descriptorOf),
    subject: options.subject,
    annotations: options.annotations,
    ...options.fields,
  };
  return manifestOf(document, { mediaType, algorithm, blobs: [config, ...layers].filter(hasBytes), platform });
}

export interface IndexOptions extends ManifestOptions {
  /** An OCI image index if it is left out. */
  mediaType?: string | undefined;
}

/**
 * An index of these manifests. A mere descriptor is named, but not pushed.
 *
 * @example
 * const index = indexOf([
 *   imageOf({ platform: { os: 'linux', architecture: 'amd64' } }),
 *   imageOf({ platform: { os: 'linux', architecture: 'arm64' } }),
 * ]);
 */
export function indexOf(entries: readonly (TestManifest | Descriptor)[], options: IndexOptions = {}): TestManifest {
  const { mediaType = mediaTypes.imageIndex, algorithm } = options;
  const document = {
    schemaVersion: 2,
    mediaType,
    artifactType: options.artifactType,
    manifests: entries.map((entry) =>
      hasBytes(entry) && entry.platform !== undefined
        ? { ...entry.descriptor, platform: entry.platform }
        : descriptorOf(entry),
    ),
    subject: options.subject,
    annotations: options.annotations,
    ...options.fields,
  };
  return manifestOf(document, { mediaType, algorithm, manifests: entries.filter(hasBytes) });
}

export interface ArtifactOptions extends ManifestOptions {
  artifactType: string;
  /** One of random bytes if they are left out. */
  layers?: readonly TestBlob[] | undefined;
  platform?: Platform | undefined;
}

/**
 * Something that is no image, such as a signature or a list of parts: an image manifest with an empty config.
 *
 * @example
 * const signature = artifactOf({ artifactType: 'application/vnd.example.signature', subject: image.descriptor });
 */
export function artifactOf(options: ArtifactOptions): TestManifest {
  const { algorithm, artifactType } = options;
  return imageOf({
    ...options,
    config: emptyJson(algorithm),
    layers: options.layers ?? [randomBlob(1024, { mediaType: artifactType, algorithm })],
  });
}

function descriptorOf(content: TestBlob | Descriptor): Descriptor {
  return hasBytes(content) ? content.descriptor : content;
}

function hasBytes<T extends TestBlob>(content: T | Descriptor): content is T {
  return 'bytes' in content;
}
