// Content that the caller has, as the content of an image.
import { createContent, digestOf, mediaTypes, readSource, RegistryError, wrongSize } from '../../model/index.ts';
import type { BlobContent, Descriptor, Digest, GetBlobOptions, ResolvedRange } from '../../model/index.ts';

import { toBase64 } from './inline-data.ts';
import type { ImageSource } from './source.ts';

type Pieces = AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>;

/**
 * Content that can be read several times: bytes, a `Blob` or `File`, or a function that opens the content each time.
 */
export type ReopenableContent =
  | Uint8Array
  | Blob
  | (() => Pieces | Uint8Array | Blob | Promise<Pieces | Uint8Array | Blob>);

/** A config or layer, with its descriptor. */
export interface ImageContent {
  /** The content's media type, digest and size. */
  readonly descriptor: Descriptor;
  /** The content. It is compared with the descriptor when it is read. */
  readonly content: ReopenableContent;
}

/** A config or layer in memory. */
export interface BytesContent extends ImageContent {
  /** The content's bytes. */
  readonly content: Uint8Array;
}

/** Options for a descriptor. */
export interface ContentOptions {
  /** The descriptor's annotations. Default: none. */
  annotations?: Readonly<Record<string, string>> | undefined;
  /** The algorithm of the digest. Default: `sha256`. */
  algorithm?: string | undefined;
  /** Let the descriptor carry the content, so that clients need not fetch it. For short content. Default: false. */
  inline?: boolean | undefined;
}

/**
 * Makes a config or layer of bytes in memory. For a file, write
 * `{ descriptor, content: () => createReadStream(path) }` instead.
 *
 * @example
 * const layer = contentOf(tar, mediaTypes.layer);
 */
export function contentOf(bytes: Uint8Array, mediaType: string, options: ContentOptions = {}): BytesContent {
  const { annotations, algorithm, inline = false } = options;
  const descriptor: Descriptor = {
    mediaType,
    digest: digestOf(bytes, algorithm),
    size: bytes.length,
    ...(annotations === undefined ? {} : { annotations }),
    ...(inline ? { data: toBase64(bytes) } : {}),
  };
  return { descriptor, content: bytes };
}

/**
 * Makes a config or layer of a value, as JSON.
 *
 * @example
 * const config = jsonContent({ os: 'linux', architecture: 'amd64' }, mediaTypes.imageConfig);
 */
export function jsonContent(value: object, mediaType: string, options: ContentOptions = {}): BytesContent {
  return contentOf(new TextEncoder().encode(JSON.stringify(value)), mediaType, options);
}

/** Makes the empty config or layer: `{}`. Image specification, "Guidance for an Empty Descriptor". */
export function emptyContent(options: ContentOptions = {}): BytesContent {
  return jsonContent({}, mediaTypes.empty, { inline: true, ...options });
}

/**
 * Makes the source of an image from the caller's configs and layers. It has no manifests.
 *
 * @example
 * const image = createRef({ bytes, mediaType: mediaTypes.imageManifest, source: contentSource([config, layer]) });
 */
export function contentSource(contents: Iterable<ImageContent>): ImageSource {
  const byDigest = new Map<Digest, ReopenableContent>();
  for (const { descriptor, content } of contents) byDigest.set(descriptor.digest, content);
  return {
    openBlob: async (descriptor, options) => openContent(descriptor, byDigest.get(descriptor.digest), options),
    getManifest: async ({ digest }) => {
      throw new RegistryError(
        'MANIFEST_UNKNOWN',
        `the manifest ${digest} is not among the contents of this source, which has configs and layers only`,
      );
    },
  };
}

/** Opens the content of a descriptor, or a range of it. Throws BLOB_UNKNOWN if the content is undefined. */
export function openContent(
  descriptor: Descriptor,
  content: ReopenableContent | undefined,
  { range, signal }: GetBlobOptions,
): BlobContent {
  if (content === undefined)
    throw new RegistryError('BLOB_UNKNOWN', `the source of this image has no blob ${descriptor.digest}`);
  const about = { descriptor, range, signal };
  const found = knownSize(content);
  if (found !== undefined && found !== descriptor.size) throw wrongSize(descriptor.digest, descriptor.size, found);
  if (content instanceof Uint8Array) return createContent({ ...about, source: { pieces: [content] } });
  let pieces: AsyncGenerator<Uint8Array, void, undefined> | undefined;
  return createContent({
    ...about,
    source: {
      iterate: (part) => {
        pieces = readReopenable(content, part, descriptor.size, signal);
        return pieces;
      },
      // Do not wait for the pieces to end: a piece that is being waited for may never arrive.
      cancel: async () => void pieces?.return().catch(() => undefined),
    },
  });
}

function readReopenable(
  content: Exclude<ReopenableContent, Uint8Array>,
  { start, end }: ResolvedRange,
  size: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (content instanceof Blob) return readSource(content.slice(start, end), signal);
  const pieces = readSource(content, signal);
  // Read the whole content to its real end, so that extra bytes are noticed.
  return start === 0 && end === size ? pieces : partOf(pieces, { start, end });
}

/** The content's bytes; undefined if only reading it tells. */
export function knownSize(content: ReopenableContent): number | undefined {
  if (content instanceof Uint8Array) return content.length;
  return content instanceof Blob ? content.size : undefined;
}

async function* partOf(
  pieces: AsyncIterable<Uint8Array>,
  { start, end }: ResolvedRange,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (start === end) return;
  let at = 0;
  for await (const piece of pieces) {
    const part = piece.subarray(Math.max(0, start - at), Math.max(0, end - at));
    if (part.length > 0) yield part;
    at += piece.length;
    if (at >= end) return;
  }
}
