import { createContent, digestOf, mediaTypes, readSource, RegistryError } from '../../model/index.ts';
import type { BlobContent, Descriptor, Digest, GetBlobOptions, ResolvedRange } from '../../model/index.ts';

import { wrongSize } from './descriptor-checks.ts';
import { toBase64 } from './inline-data.ts';
import type { ImageSource } from './source.ts';

type Arriving = AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>;

/** Bytes that can be read again: at hand, in a `Blob` or `File`, or opened by a function each time. */
export type ReopenableContent =
  | Uint8Array
  | Blob
  | (() => Arriving | Uint8Array | Blob | Promise<Arriving | Uint8Array | Blob>);

/** A config or layer, and what names it. */
export interface ImageContent {
  readonly descriptor: Descriptor;
  /** Compared with the descriptor when it is read. */
  readonly content: ReopenableContent;
}

/** One that is at hand. */
export interface BytesContent extends ImageContent {
  readonly content: Uint8Array;
}

export interface ContentOptions {
  annotations?: Readonly<Record<string, string>> | undefined;
  /** `sha256` if it is left out. */
  algorithm?: string | undefined;
  /** Whether the descriptor carries the content itself, so that nobody has to fetch it. For short content. Default: false. */
  inline?: boolean | undefined;
}

/**
 * Bytes that are at hand as the content of an image. What is in a file is `{ descriptor, content: () => createReadStream(path) }`.
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

/** A value as JSON. */
export function jsonContent(value: object, mediaType: string, options: ContentOptions = {}): BytesContent {
  return contentOf(new TextEncoder().encode(JSON.stringify(value)), mediaType, options);
}

/** `{}`: a config or layer that says nothing. Image specification, "Guidance for an Empty Descriptor". */
export function emptyContent(options: ContentOptions = {}): BytesContent {
  return jsonContent({}, mediaTypes.empty, { inline: true, ...options });
}

/**
 * Contents that are at hand, as the source of an image. It knows no manifests.
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
      throw new RegistryError('MANIFEST_UNKNOWN', `there is no manifest ${digest}`);
    },
  };
}

/** What is kept, or a part of it. Rejects with BLOB_UNKNOWN if it is undefined. */
export function openContent(
  descriptor: Descriptor,
  content: ReopenableContent | undefined,
  { range, signal }: GetBlobOptions,
): BlobContent {
  if (content === undefined) throw new RegistryError('BLOB_UNKNOWN', `there is no blob ${descriptor.digest}`);
  const about = { descriptor, range, signal };
  const found = sizeOf(content);
  if (found !== undefined && found !== descriptor.size) throw wrongSize(descriptor, found);
  if (content instanceof Uint8Array) return createContent({ ...about, source: { pieces: [content] } });
  let pieces: AsyncGenerator<Uint8Array, void, undefined> | undefined;
  return createContent({
    ...about,
    source: {
      iterate: (part) => {
        pieces = readReopenable(content, part, descriptor.size, signal);
        return pieces;
      },
      // Whoever reads a stream may have forgotten it. What is being waited for may never come, so nobody waits for it here.
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
  // What goes on after the announced end is to be noticed.
  return start === 0 && end === size ? pieces : partOf(pieces, { start, end });
}

/** Bytes; undefined if only reading it tells. */
export function sizeOf(content: ReopenableContent): number | undefined {
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
