import { mediaTypes, referrerDescriptor } from '../../model/index.ts';
import type { CallOptions, Descriptor, Platform } from '../../model/index.ts';

import { emptyContent, jsonContent, contentSource } from '../content/index.ts';
import type { ImageContent, ImageSource } from '../content/index.ts';

import { asImage, asIndex, createRef } from './ref.ts';
import type { Image, Index, Ref } from './ref.ts';

interface ComposeOptions {
  /** What it is, if it is no image for containers. */
  artifactType?: string | undefined;
  /** What it says something about. */
  subject?: Descriptor | undefined;
  annotations?: Readonly<Record<string, string>> | undefined;
  /** Of its digest. `sha256` if it is left out. */
  algorithm?: string | undefined;
}

export interface CreateImageOptions extends ComposeOptions {
  /** Default: an OCI image manifest. */
  mediaType?: typeof mediaTypes.imageManifest | typeof mediaTypes.dockerManifest | undefined;
  /** Default: the empty one, which needs an `artifactType`. */
  config?: ImageContent | undefined;
  /** Default: the empty one, if the config is empty as well; else none. */
  layers?: readonly ImageContent[] | undefined;
}

/**
 * An image of contents that are at hand, to be pushed or read from. Image specification, "Image Manifest".
 *
 * @throws TypeError if it has neither a config nor an `artifactType`; RegistryError MANIFEST_INVALID, naming the field
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

/** An entry of an index, with what only the index says of it. */
export interface IndexEntry {
  ref: Ref;
  /** What it runs on; `platformOf` reads it from an image's config. */
  platform?: Platform | undefined;
  annotations?: Readonly<Record<string, string>> | undefined;
}

export interface CreateIndexOptions extends ComposeOptions {
  /** Default: an OCI image index. */
  mediaType?: typeof mediaTypes.imageIndex | typeof mediaTypes.dockerManifestList | undefined;
}

/**
 * An index of images and indexes, wherever each of them comes from. Image specification, "Image Index".
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
  const { mediaType = mediaTypes.imageIndex, algorithm } = options;
  const named = entries.map((entry): IndexEntry => ('ref' in entry ? entry : { ref: entry }));
  const document = {
    schemaVersion: 2,
    mediaType,
    artifactType: options.artifactType,
    manifests: named.map(entryDescriptor),
    subject: options.subject,
    annotations: options.annotations,
  };
  const { content, descriptor } = jsonContent(document, mediaType, { algorithm });
  const source = refsSource(named.map(({ ref }) => ref));
  return asIndex(createRef({ bytes: content, mediaType, digest: descriptor.digest, source }));
}

/** What an index says of an entry: its artifact type too, unless it is an ordinary image. */
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

/** Each of these, with all that it reaches, from where it comes. */
function refsSource(refs: readonly Ref[]): ImageSource {
  const sources = new Map(refs.map((ref) => [ref.descriptor.digest, sourceWith(ref)]));
  return { ...contentSource([]), sourceOf: ({ digest }) => sources.get(digest) };
}

/** The source of a ref, which need not be asked for the ref's own manifest. */
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
