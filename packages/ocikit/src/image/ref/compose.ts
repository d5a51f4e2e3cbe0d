// Creates images and indexes from content and from other images.
import { mediaTypePattern, mediaTypes, referrerDescriptor, RegistryError } from '../../model/index.ts';
import type { CallOptions, Descriptor, Platform } from '../../model/index.ts';

import { emptyContent, jsonContent, contentSource } from '../content/index.ts';
import type { ImageContent, ImageSource } from '../content/index.ts';

import { asImage, asIndex, createRef } from './ref.ts';
import type { Image, Index, Ref } from './ref.ts';

/** The options that images and indexes share. */
interface ComposeOptions {
  /** The type of an artifact that is no container image. Default: none. */
  artifactType?: string | undefined;
  /** The manifest that it refers to, such as the image that a signature is for. Default: none. */
  subject?: Descriptor | undefined;
  /** Annotations of the manifest. Default: none. */
  annotations?: Readonly<Record<string, string>> | undefined;
  /** The algorithm of its digest. Default: `sha256`. */
  algorithm?: string | undefined;
}

/** Options of {@link createImage}. */
export interface CreateImageOptions extends ComposeOptions {
  /** The manifest's media type. Default: an OCI image manifest. */
  mediaType?: typeof mediaTypes.imageManifest | typeof mediaTypes.dockerManifest | undefined;
  /** The config. Default: the empty config, which needs an `artifactType`. */
  config?: ImageContent | undefined;
  /** The layers. Default: none; if there is no config either, one empty layer. */
  layers?: readonly ImageContent[] | undefined;
}

/**
 * Creates an image from configs and layers that the caller has. It can be pushed or read. Image specification, "Image
 * Manifest".
 *
 * @throws TypeError if neither a config nor an `artifactType` is given; RegistryError MANIFEST_INVALID, naming the
 * field
 *
 * @example
 * const config = { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [digestOf(tar)] } };
 * const image = createImage({
 *   config: jsonContent(config, mediaTypes.imageConfig),
 *   layers: [contentOf(tar, mediaTypes.layer)],
 * });
 * await push(registry, 'library/example', image, { tags: ['latest'] });
 */
export function createImage(options: CreateImageOptions): Image {
  assertArtifactType(options);
  const { mediaType = mediaTypes.imageManifest, artifactType, algorithm } = options;
  if (options.config === undefined && artifactType === undefined) {
    throw new TypeError('an image without a config needs an artifactType');
  }
  const config = options.config ?? emptyContent({ algorithm });
  const layers = options.layers ?? (options.config === undefined ? [emptyContent({ algorithm })] : []);
  const document = {
    schemaVersion: 2,
    mediaType,
    artifactType,
    config: config.descriptor,
    layers: layers.map(({ descriptor }) => descriptor),
    subject: options.subject,
    annotations: options.annotations,
  };
  const { content, descriptor } = jsonContent(document, mediaType, { algorithm });
  const source = contentSource([config, ...layers]);
  return asImage(createRef({ bytes: content, mediaType, digest: descriptor.digest, source }));
}

/** An entry for an index. */
export interface IndexEntry {
  /** The image or index. */
  ref: Ref;
  /** The platform that it runs on. `platformOf` reads it from an image's config. Default: none. */
  platform?: Platform | undefined;
  /** Annotations of the entry, not of the image. Default: none. */
  annotations?: Readonly<Record<string, string>> | undefined;
}

/** Options of {@link createIndex}. */
export interface CreateIndexOptions extends ComposeOptions {
  /** The manifest's media type. Default: an OCI image index. */
  mediaType?: typeof mediaTypes.imageIndex | typeof mediaTypes.dockerManifestList | undefined;
}

/**
 * Creates an index of images and indexes, which may come from different sources. Image specification, "Image Index".
 *
 * @throws RegistryError MANIFEST_INVALID, naming the field
 *
 * @example
 * const amd64 = await pull(registry, 'builds/amd64', { tag: 'v1' });
 * const arm64 = await pull(registry, 'builds/arm64', { tag: 'v1' });
 * const index = createIndex([
 *   { ref: amd64, platform: { os: 'linux', architecture: 'amd64' } },
 *   { ref: arm64, platform: { os: 'linux', architecture: 'arm64' } },
 * ]);
 * await push(registry, 'library/example', index, { tags: ['v1'] });
 */
export function createIndex(entries: readonly (Ref | IndexEntry)[], options: CreateIndexOptions = {}): Index {
  assertArtifactType(options);
  const { mediaType = mediaTypes.imageIndex, algorithm } = options;
  const items = entries.map((entry): IndexEntry => ('ref' in entry ? entry : { ref: entry }));
  const document = {
    schemaVersion: 2,
    mediaType,
    artifactType: options.artifactType,
    manifests: items.map(entryDescriptor),
    subject: options.subject,
    annotations: options.annotations,
  };
  const { content, descriptor } = jsonContent(document, mediaType, { algorithm });
  const source = refsSource(items.map(({ ref }) => ref));
  return asIndex(createRef({ bytes: content, mediaType, digest: descriptor.digest, source }));
}

/** Others may write any text as a type, but a new artifact follows the specification. */
function assertArtifactType({ artifactType = '' }: ComposeOptions): void {
  if (artifactType === '' || mediaTypePattern.test(artifactType)) return;
  throw new RegistryError(
    'MANIFEST_INVALID',
    `the artifactType ${JSON.stringify(artifactType.slice(0, 200))} is not a media type`,
    { detail: { field: 'artifactType' } },
  );
}

/** Makes the descriptor of an index's entry. It has an artifact type, unless the entry is a container image. */
export function entryDescriptor({ ref, platform, annotations }: IndexEntry): Descriptor {
  const artifactType = artifactTypeOf(ref);
  return {
    ...ref.descriptor,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(platform === undefined ? {} : { platform }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

function artifactTypeOf(ref: Ref): string | undefined {
  const { mediaType } = ref.descriptor;
  const document =
    ref.kind === 'image'
      ? { kind: ref.kind, mediaType, manifest: ref.manifest }
      : { kind: ref.kind, mediaType, manifest: ref.manifest };
  const { artifactType } = referrerDescriptor(document, ref.descriptor);
  return artifactType === mediaTypes.imageConfig || artifactType === mediaTypes.dockerConfig ? undefined : artifactType;
}

/** Makes a source that reads each entry, and all that it names, from the entry's own source. */
function refsSource(refs: readonly Ref[]): ImageSource {
  const sources = new Map(refs.map((ref) => [ref.descriptor.digest, sourceWith(ref)]));
  return { ...contentSource([]), sourceOf: ({ digest }) => sources.get(digest) };
}

/** The source of a ref, plus the ref's own manifest, which is in memory and need not be fetched. */
function sourceWith({ source, descriptor, bytes }: Ref): ImageSource {
  return {
    openBlob: (blob, options) => source.openBlob(blob, options),
    getManifest: async (entry, options: CallOptions) => {
      if (entry.digest !== descriptor.digest) return source.getManifest(entry, options);
      options.signal?.throwIfAborted();
      return { descriptor, bytes };
    },
    sourceOf: (entry) => source.sourceOf?.(entry),
  };
}
