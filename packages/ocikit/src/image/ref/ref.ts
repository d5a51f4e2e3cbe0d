// Images and indexes as objects: a verified manifest, and verified reading of all that it names.
import {
  assertStrictMediaTypes,
  digestOf,
  isManifestMediaType,
  mediaTypes,
  parseDigest,
  parseManifest,
  parseMediaType,
  RegistryError,
  splitDigest,
  wrongDigest,
  wrongSize,
} from '../../model/index.ts';
import type {
  BlobContent,
  CallOptions,
  Descriptor,
  Digest,
  GetBlobOptions,
  ImageIndex,
  ImageManifest,
  Manifest,
} from '../../model/index.ts';

import {
  assertDescriptor,
  assertFits,
  boundSource,
  defaultLimit,
  inlineData,
  inheritCall,
  openVerified,
  readVerified,
} from '../content/index.ts';
import type { ImageSource, ReadVerifiedOptions } from '../content/index.ts';

/** An image or an index. `kind` tells which. */
export type Ref = Image | Index;

/** The parts that images and indexes share. */
interface RefContent {
  /** The manifest's media type, digest and size, and nothing else. */
  readonly descriptor: Descriptor;
  /** The manifest's exact bytes. Their digest has been verified. */
  readonly bytes: Uint8Array;
  /** The source of its content, which does not verify. The options of the call that made this ref apply to it. */
  readonly source: ImageSource;
  /**
   * Opens a blob that it names, or a range of it: the config or a layer of an image, an entry in `Index.blobs`. If all
   * of it is read without an error, the bytes are correct; a range is not verified. Content that the descriptor carries
   * as `data` is not fetched.
   *
   * Rejects with BLOB_UNKNOWN. Rejects with SIZE_INVALID or DIGEST_INVALID, at the latest at the content's end, if
   * the bytes are wrong.
   */
  openBlob(descriptor: Descriptor, options?: GetBlobOptions): Promise<BlobContent>;
  /**
   * Reads all of such a blob into memory, verified. It does not retry: the client does.
   *
   * Rejects like {@link openBlob}, and with CONTENT_TOO_LARGE before anything is fetched.
   */
  readVerified(descriptor: Descriptor, options?: ReadVerifiedOptions): Promise<Uint8Array>;
}

/** An OCI or Docker image. Image specification, "Image Manifest". */
export interface Image extends RefContent {
  /** Tells an image from an index. */
  readonly kind: 'image';
  /** The parsed manifest. */
  readonly manifest: ImageManifest;
  /** The config's descriptor. */
  readonly config: Descriptor;
  /** The layers' descriptors, the lowest first. */
  readonly layers: readonly Descriptor[];
}

/** An OCI index or a Docker manifest list. Image specification, "Image Index". */
export interface Index extends RefContent {
  /** Tells an index from an image. */
  readonly kind: 'index';
  /** The parsed manifest. */
  readonly manifest: ImageIndex;
  /** The descriptors of all its entries. */
  readonly manifests: readonly Descriptor[];
  /** The entries that are blobs, as their media type is not that of a manifest: a build cache lists its layers so. */
  readonly blobs: readonly Descriptor[];
  /**
   * Fetches the image or index of an entry, and compares its size, type and digest with the entry.
   *
   * Rejects with MANIFEST_UNKNOWN; UNSUPPORTED_MEDIA_TYPE if it is neither an image nor an index; CONTENT_TOO_LARGE
   * if it has more than 50 MiB; and with SIZE_INVALID, DIGEST_INVALID or MANIFEST_INVALID.
   */
  child(descriptor: Descriptor, options?: CallOptions): Promise<Ref>;
}

/** Gives the blobs that a ref names itself: an image's config and layers, or an index's entries that are blobs. */
export function blobsOf(ref: Ref): readonly Descriptor[] {
  return ref.kind === 'image' ? [ref.config, ...ref.layers] : ref.blobs;
}

/** The media types of images and indexes. */
export const refMediaTypes: readonly string[] = [
  mediaTypes.imageManifest,
  mediaTypes.imageIndex,
  mediaTypes.dockerManifest,
  mediaTypes.dockerManifestList,
];

/** Options of {@link createRef}. The call's options apply to all later reads of the image too. */
export interface CreateRefOptions extends CallOptions {
  /** The manifest's exact bytes. */
  bytes: Uint8Array;
  /** The manifest's media type: one of {@link refMediaTypes}. */
  mediaType: string;
  /** The expected digest of the bytes. Default: their sha256, unverified. */
  digest?: Digest | undefined;
  /** The source of configs, layers and children. */
  source: ImageSource;
  /**
   * Refuse media types and artifact types that RFC 6838 does not allow, such as `foo`, with MANIFEST_INVALID. It holds
   * for the children too. Default: false, as registries hold such artifacts.
   */
  strictMediaTypes?: boolean | undefined;
}

/**
 * Makes an image or an index of a manifest in memory. Nothing is fetched.
 *
 * @throws RegistryError DIGEST_INVALID if the bytes do not match the digest; UNSUPPORTED_MEDIA_TYPE if it is neither an
 * image nor an index; MANIFEST_INVALID, naming the field
 *
 * @example
 * const source = registrySource(registry, 'library/alpine');
 * const ref = createRef({ bytes, mediaType: mediaTypes.imageManifest, source });
 * if (ref.kind === 'image') await ref.readVerified(ref.config);
 */
export function createRef(options: CreateRefOptions): Ref {
  const { bytes: given, mediaType, digest: expected, source, signal, onEvent, context, strictMediaTypes } = options;
  const call: CallOptions = { signal, onEvent, context };
  // Copy the bytes, so that the caller cannot change them after they were verified. (A Buffer's slice is no copy.)
  const bytes = new Uint8Array(given);
  const digest = digestOf(bytes, expected === undefined ? undefined : splitDigest(parseDigest(expected)).algorithm);
  if (expected !== undefined && digest !== expected) throw wrongDigest(expected, digest);
  const document = parseManifest(bytes, mediaType);
  if (strictMediaTypes === true) assertStrictMediaTypes(document);
  const content: RefContent = {
    descriptor: { mediaType, digest, size: bytes.length },
    bytes,
    source: boundSource(source, call),
    openBlob: async (descriptor, own = {}) => openVerified(source, descriptor, inheritCall(call, own)),
    readVerified: async (descriptor, own = {}) => readVerified(source, descriptor, inheritCall(call, own)),
  };
  if (document.kind === 'image') return imageOf(content, document.manifest);
  if (document.kind === 'index') return indexOf(content, document.manifest, { ...call, source, strictMediaTypes });
  throw notARef(mediaType);
}

function imageOf(content: RefContent, manifest: ImageManifest): Image {
  return {
    ...content,
    kind: 'image',
    manifest,
    config: manifest.config,
    layers: manifest.layers ?? [],
  };
}

function indexOf(
  content: RefContent,
  manifest: ImageIndex,
  inherited: Omit<CreateRefOptions, 'bytes' | 'mediaType' | 'digest'>,
): Index {
  const { source, strictMediaTypes: _strict, ...call } = inherited;
  return {
    ...content,
    kind: 'index',
    manifest,
    manifests: manifest.manifests ?? [],
    blobs: (manifest.manifests ?? []).filter((entry) => !isManifestMediaType(entry.mediaType)),
    child: async (descriptor, options = {}) => {
      const { signal, ...rest } = inheritCall(call, options);
      signal?.throwIfAborted();
      assertDescriptor(descriptor);
      const mediaType = refTypeOf(descriptor.mediaType);
      assertFits(descriptor, defaultLimit);
      const from = source.sourceOf?.(descriptor) ?? source;
      const bytes = inlineData(descriptor) ?? (await manifestBytes(from, descriptor, { ...rest, signal }));
      signal?.throwIfAborted();
      return createRef({ ...inherited, bytes, mediaType, digest: descriptor.digest, source: from });
    },
  };
}

async function manifestBytes(source: ImageSource, descriptor: Descriptor, call: CallOptions): Promise<Uint8Array> {
  const { bytes, descriptor: found } = await source.getManifest(descriptor, call);
  if (bytes.length !== descriptor.size) throw wrongSize(descriptor.digest, descriptor.size, bytes.length);
  assertSameType(descriptor, found);
  return bytes;
}

/** @throws RegistryError MANIFEST_INVALID if the entry and the source give different media types */
function assertSameType(entry: Descriptor, found: Manifest['descriptor']): void {
  // Sources that do not know the type give `application/octet-stream`.
  if (found.mediaType === entry.mediaType || found.mediaType === mediaTypes.octetStream) return;
  if (found.mediaType === refTypeOf(entry.mediaType)) return;
  throw new RegistryError(
    'MANIFEST_INVALID',
    `${entry.digest} is ${entry.mediaType} according to its index, but ` +
      `${JSON.stringify(found.mediaType.slice(0, 200))} according to its source`,
  );
}

/** @throws RegistryError UNSUPPORTED_MEDIA_TYPE if an entry of this type is neither an image nor an index */
function refTypeOf(text: string): string {
  const mediaType = refMediaTypes.includes(text) ? text : parseMediaType(text);
  if (mediaType === undefined || !refMediaTypes.includes(mediaType)) throw notARef(text);
  return mediaType;
}

function notARef(mediaType: string): RegistryError {
  return new RegistryError(
    'UNSUPPORTED_MEDIA_TYPE',
    `${JSON.stringify(mediaType.slice(0, 200))} is neither an image nor an index`,
  );
}

/**
 * Gives the ref as an image.
 *
 * @throws RegistryError UNSUPPORTED_MEDIA_TYPE if it is an index
 */
export function asImage(ref: Ref): Image {
  if (ref.kind === 'image') return ref;
  throw new RegistryError(
    'UNSUPPORTED_MEDIA_TYPE',
    `${ref.descriptor.digest} is an index, not an image: imageFor finds the image of a platform`,
  );
}

/**
 * Gives the ref as an index.
 *
 * @throws RegistryError UNSUPPORTED_MEDIA_TYPE if it is an image
 */
export function asIndex(ref: Ref): Index {
  if (ref.kind === 'index') return ref;
  throw new RegistryError('UNSUPPORTED_MEDIA_TYPE', `${ref.descriptor.digest} is an image, not an index`);
}
