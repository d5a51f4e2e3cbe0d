// Manifests for tests: images, indexes and artifacts, each with its content.
import { mediaTypes } from '../../model/index.ts';
import type { Descriptor, Platform } from '../../model/index.ts';

import { blobOf, emptyJson, randomBlob } from './blobs.ts';
import type { TestBlob } from './blobs.ts';
import { randomName } from './random.ts';

/** A manifest, with everything that has to be pushed before it. */
export interface TestManifest extends TestBlob {
  /** The media type with which to push it. */
  readonly mediaType: string;
  /** Its config and layers, or an artifact's blobs. */
  readonly blobs: readonly TestBlob[];
  /** The entries of an index. */
  readonly manifests: readonly TestManifest[];
  /** The platform that an index names for it. */
  readonly platform?: Platform | undefined;
}

/** Options of {@link manifestOf}. */
export interface DocumentOptions {
  /** The media type of the document. */
  mediaType: string;
  /** The digest's algorithm, `sha256` or `sha512`. Default: `sha256`. */
  algorithm?: string | undefined;
  /** Blobs to push before it. Default: none. */
  blobs?: readonly TestBlob[] | undefined;
  /** Manifests to push before it. Default: none. */
  manifests?: readonly TestManifest[] | undefined;
  /** The platform that an index names for it. Default: none. */
  platform?: Platform | undefined;
}

/**
 * Makes a manifest of any document. {@link imageOf}, {@link indexOf} and {@link artifactOf} make the usual ones.
 *
 * @example
 * const malformed = manifestOf({ schemaVersion: 1 }, { mediaType: 'application/vnd.oci.image.manifest.v1+json' });
 */
export function manifestOf(document: object, options: DocumentOptions): TestManifest {
  const { mediaType, algorithm, blobs = [], manifests = [], platform } = options;
  const blob = blobOf(JSON.stringify(document), { mediaType, algorithm });
  return { ...blob, mediaType, blobs, manifests, platform };
}

/** Options for images, indexes and artifacts. */
export interface ManifestOptions {
  /** The algorithm of all digests, `sha256` or `sha512`. Default: `sha256`. */
  algorithm?: string | undefined;
  /** Default: none. */
  artifactType?: string | undefined;
  /** The manifest that this one refers to. Default: none. */
  subject?: Descriptor | undefined;
  /** Default: none. */
  annotations?: Readonly<Record<string, string>> | undefined;
  /** Further fields of the document. They replace fields of the same name; undefined removes one. Default: none. */
  fields?: Readonly<Record<string, unknown>> | undefined;
}

/** Options of {@link imageOf}. */
export interface ImageOptions extends ManifestOptions {
  /** Default: that of an OCI image manifest. With that of a Docker manifest, the content has Docker's types too. */
  mediaType?: string | undefined;
  /** A descriptor alone is named in the manifest, but not pushed. Default: a config with the platform. */
  config?: TestBlob | Descriptor | undefined;
  /** A descriptor alone is named in the manifest, but not pushed. Default: one layer of 1024 random bytes. */
  layers?: readonly (TestBlob | Descriptor)[] | undefined;
  /** Default: `linux/amd64`. */
  platform?: Platform | undefined;
}

/**
 * Makes an image with a digest of its own: the config holds a random name.
 *
 * @example
 * const image = imageOf({ layers: [randomBlob(5_000_000)], annotations: { 'org.example.purpose': 'test' } });
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

/** Options of {@link indexOf}. */
export interface IndexOptions extends ManifestOptions {
  /** Default: that of an OCI image index. */
  mediaType?: string | undefined;
}

/**
 * Makes an index of these manifests. A descriptor alone is named in the index, but not pushed.
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

/** Options of {@link artifactOf}. */
export interface ArtifactOptions extends ManifestOptions {
  /** The type of the artifact. */
  artifactType: string;
  /** Default: one layer of 1024 random bytes. */
  layers?: readonly TestBlob[] | undefined;
  /** Default: `linux/amd64`. */
  platform?: Platform | undefined;
}

/**
 * Makes an artifact, such as a signature or a list of parts: an image manifest with an empty config.
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
