import {
  digestOf,
  mediaTypes,
  parseDigest,
  parseManifest,
  RegistryError,
  splitDigest,
  wrongDigest,
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
  wrongSize,
} from '../content/index.ts';
import type { ImageSource, ReadVerifiedOptions } from '../content/index.ts';

/** An image or an index: `kind` says which. */
export type Ref = Image | Index;

interface RefContent {
  /** Media type, digest and size of the manifest; nothing else. */
  readonly descriptor: Descriptor;
  /** The manifest as it is. Its digest has been verified. */
  readonly bytes: Uint8Array;
  /** Where the content comes from, unverified, with the options of the call that this ref is from. */
  readonly source: ImageSource;
}

/** An OCI image or a Docker one. Image specification, "Image Manifest". */
export interface Image extends RefContent {
  readonly kind: 'image';
  readonly manifest: ImageManifest;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  /**
   * The bytes of the config or of a layer, or a part of them. Whoever reads all of it without an error has read the right bytes; a
   * part is what the source gives. What the descriptor carries as `data` is not fetched.
   *
   * Rejects with BLOB_UNKNOWN; SIZE_INVALID, DIGEST_INVALID if the bytes are others, at their end at the latest.
   */
  openBlob(descriptor: Descriptor, options?: GetBlobOptions): Promise<BlobContent>;
  /**
   * The same, all of it and in memory. Nothing that fails here is tried again: that is the client's business.
   *
   * Rejects with CONTENT_TOO_LARGE as well, before anything is fetched.
   */
  readVerified(descriptor: Descriptor, options?: ReadVerifiedOptions): Promise<Uint8Array>;
}

/** An OCI index or a Docker manifest list. Image specification, "Image Index". */
export interface Index extends RefContent {
  readonly kind: 'index';
  readonly manifest: ImageIndex;
  readonly manifests: readonly Descriptor[];
  /**
   * What an entry names, after its size, type and digest have been compared with what the entry says.
   *
   * Rejects with MANIFEST_UNKNOWN; UNSUPPORTED_MEDIA_TYPE if it is neither an image nor an index; CONTENT_TOO_LARGE beyond
   * 50 MiB; SIZE_INVALID, DIGEST_INVALID, MANIFEST_INVALID.
   */
  child(descriptor: Descriptor, options?: CallOptions): Promise<Ref>;
}

/** The media types of what can be a {@link Ref}. */
export const refMediaTypes: readonly string[] = [
  mediaTypes.imageManifest,
  mediaTypes.imageIndex,
  mediaTypes.dockerManifest,
  mediaTypes.dockerManifestList,
];

/** The options of the call hold for all later reads as well. */
export interface CreateRefOptions extends CallOptions {
  /** The manifest as it is. */
  bytes: Uint8Array;
  /** One of {@link refMediaTypes}. */
  mediaType: string;
  /** The digest that the bytes have to have. Default: their sha256. */
  digest?: Digest | undefined;
  /** Where configs, layers and children are. */
  source: ImageSource;
}

/**
 * An image or an index of a manifest that is at hand. Nothing is fetched.
 *
 * @throws RegistryError DIGEST_INVALID; UNSUPPORTED_MEDIA_TYPE; MANIFEST_INVALID, naming the field
 *
 * @example
 * const ref = createRef({ bytes, mediaType: mediaTypes.imageManifest, source: registrySource(registry, 'library/alpine') });
 * if (ref.kind === 'image') await ref.readVerified(ref.config);
 */
export function createRef(options: CreateRefOptions): Ref {
  const { bytes: given, mediaType, digest: expected, source, signal, onEvent, context } = options;
  const call: CallOptions = { signal, onEvent, context };
  // Nobody changes what has been verified. (A slice of a Buffer would be the same bytes.)
  const bytes = new Uint8Array(given);
  const digest = digestOf(bytes, expected === undefined ? undefined : splitDigest(parseDigest(expected)).algorithm);
  if (expected !== undefined && digest !== expected) throw wrongDigest(expected, digest);
  const document = parseManifest(bytes, mediaType);
  const content = { descriptor: { mediaType, digest, size: bytes.length }, bytes, source: boundSource(source, call) };
  if (document.kind === 'image') return imageOf(content, document.manifest, source, call);
  if (document.kind === 'index') return indexOf(content, document.manifest, source, call);
  throw notARef(mediaType);
}

function imageOf(content: RefContent, manifest: ImageManifest, source: ImageSource, call: CallOptions): Image {
  return {
    ...content,
    kind: 'image',
    manifest,
    config: manifest.config,
    layers: manifest.layers ?? [],
    openBlob: async (descriptor, options = {}) => openVerified(source, descriptor, inheritCall(call, options)),
    readVerified: async (descriptor, options = {}) => readVerified(source, descriptor, inheritCall(call, options)),
  };
}

function indexOf(content: RefContent, manifest: ImageIndex, source: ImageSource, call: CallOptions): Index {
  return {
    ...content,
    kind: 'index',
    manifest,
    manifests: manifest.manifests ?? [],
    child: async (descriptor, options = {}) => {
      const { signal, ...rest } = inheritCall(call, options);
      signal?.throwIfAborted();
      assertDescriptor(descriptor);
      assertRefType(descriptor.mediaType);
      assertFits(descriptor, defaultLimit);
      const from = source.sourceOf?.(descriptor) ?? source;
      const bytes = inlineData(descriptor) ?? (await manifestBytes(from, descriptor, { ...rest, signal }));
      signal?.throwIfAborted();
      return createRef({ ...call, bytes, mediaType: descriptor.mediaType, digest: descriptor.digest, source: from });
    },
  };
}

async function manifestBytes(source: ImageSource, descriptor: Descriptor, call: CallOptions): Promise<Uint8Array> {
  const { bytes, descriptor: found } = await source.getManifest(descriptor, call);
  if (bytes.length !== descriptor.size) throw wrongSize(descriptor, bytes.length);
  assertSameType(descriptor, found);
  return bytes;
}

/** @throws RegistryError MANIFEST_INVALID if an entry says another type than the manifest's own source does */
function assertSameType(entry: Descriptor, found: Manifest['descriptor']): void {
  // That is what is said where nothing is known.
  if (found.mediaType === entry.mediaType || found.mediaType === mediaTypes.octetStream) return;
  throw new RegistryError(
    'MANIFEST_INVALID',
    `${entry.digest} was announced as ${entry.mediaType} and is ${JSON.stringify(found.mediaType.slice(0, 200))}`,
  );
}

/** @throws RegistryError UNSUPPORTED_MEDIA_TYPE */
function assertRefType(mediaType: string): void {
  if (!refMediaTypes.includes(mediaType)) throw notARef(mediaType);
}

function notARef(mediaType: string): RegistryError {
  return new RegistryError(
    'UNSUPPORTED_MEDIA_TYPE',
    `${JSON.stringify(mediaType.slice(0, 200))} is neither an image nor an index`,
  );
}

/** @throws RegistryError UNSUPPORTED_MEDIA_TYPE if it is an index */
export function asImage(ref: Ref): Image {
  if (ref.kind === 'image') return ref;
  throw new RegistryError('UNSUPPORTED_MEDIA_TYPE', `${ref.descriptor.digest} is an index, not an image`);
}

/** @throws RegistryError UNSUPPORTED_MEDIA_TYPE if it is an image */
export function asIndex(ref: Ref): Index {
  if (ref.kind === 'index') return ref;
  throw new RegistryError('UNSUPPORTED_MEDIA_TYPE', `${ref.descriptor.digest} is an image, not an index`);
}
