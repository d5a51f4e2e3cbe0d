// Reads images and indexes from the files of an image layout.
import { collect, mediaTypes, parseDigest, readSource, RegistryError } from '../../model/index.ts';
import type { CallOptions, Descriptor } from '../../model/index.ts';

import { assertDescriptor, defaultLimit, openContent, parseJsonObject } from '../content/index.ts';
import type { ImageSource, ReopenableContent } from '../content/index.ts';
import { asIndex, createRef } from '../ref/index.ts';
import type { Index, Ref } from '../ref/index.ts';

import {
  blobPath,
  imageNameAnnotation,
  layoutIndex,
  layoutMarker,
  layoutVersion,
  refNameAnnotation,
} from './layout-files.ts';

/**
 * Gives the content of a layout's file, by its path from the root, such as `index.json` or `blobs/sha256/…`;
 * undefined if there is no such file. An error that it throws ends the reading.
 */
export type LayoutFile = (path: string) => ReopenableContent | undefined | Promise<ReopenableContent | undefined>;

/** Options of {@link readLayout}. */
export interface ReadLayoutOptions extends CallOptions {
  /**
   * The name of the entry: its tag, or the whole name that containerd gives it, such as `docker.io/library/alpine:3`.
   * If several entries have this name, the last one counts. Default: the layout's only entry.
   */
  tag?: string | undefined;
}

/**
 * Reads one image or index of a layout.
 *
 * Rejects with MANIFEST_UNKNOWN if the layout has none, or none with this tag; with MANIFEST_INVALID if there is no tag
 * and several images; and like {@link readLayoutIndex} and `Index.child`.
 *
 * @example
 * const ref = await readLayout((path) => () => createReadStream(join('./image', path)));
 */
export async function readLayout(file: LayoutFile, options: ReadLayoutOptions = {}): Promise<Ref> {
  const { tag, ...call } = options;
  const index = await readLayoutIndex(file, call);
  const names = [imageNameAnnotation, refNameAnnotation];
  const entries = index.manifests.filter(
    (one) => tag === undefined || names.some((name) => one.annotations?.[name] === tag),
  );
  const entry = entries.at(-1);
  const which = tag === undefined ? 'no image' : `no image ${JSON.stringify(tag.slice(0, 200))}`;
  if (entry === undefined) throw new RegistryError('MANIFEST_UNKNOWN', `the layout has ${which}`);
  if (tag === undefined && entries.some(({ digest }) => digest !== entry.digest)) {
    throw new RegistryError(
      'MANIFEST_INVALID',
      `the layout has ${entries.length} entries, of which one has to be chosen by its tag`,
    );
  }
  return index.child(entry);
}

/**
 * Reads the index of a layout, which lists all its images. Image specification, "Image Layout".
 *
 * Rejects with UNSUPPORTED if the files are no layout, or a layout of another version; with MANIFEST_INVALID if its
 * index is missing or malformed; and with CONTENT_TOO_LARGE if its index has more than 50 MiB.
 */
export async function readLayoutIndex(file: LayoutFile, call: CallOptions = {}): Promise<Index> {
  assertVersion(await readSmall(file, layoutMarker, call));
  const bytes = await readSmall(file, layoutIndex, call);
  if (bytes === undefined) throw new RegistryError('MANIFEST_INVALID', `the layout has no ${layoutIndex}`);
  const json = withoutByteOrderMark(bytes);
  return asIndex(createRef({ ...call, bytes: json, mediaType: mediaTypes.imageIndex, source: layoutSource(file) }));
}

function assertVersion(marker: Uint8Array | undefined): void {
  if (marker === undefined)
    throw new RegistryError('UNSUPPORTED', `the file ${layoutMarker} is missing: this is no image layout`);
  const version = parseJsonObject(marker)?.['imageLayoutVersion'];
  if (version === layoutVersion) return;
  const shown = typeof version === 'string' ? JSON.stringify(version.slice(0, 200)) : 'not said';
  throw new RegistryError('UNSUPPORTED', `the image layout's version is ${shown}, not ${layoutVersion}`);
}

/** Some editors write a byte order mark, which JSON does not allow. */
function withoutByteOrderMark(bytes: Uint8Array): Uint8Array {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}

/** Makes a source of a layout's files. */
function layoutSource(file: LayoutFile): ImageSource {
  return {
    openBlob: async (descriptor, options) => openContent(descriptor, await fileOf(file, descriptor), options),
    getManifest: async (descriptor, { signal }) => {
      const content = await fileOf(file, descriptor);
      if (content === undefined) {
        throw new RegistryError('MANIFEST_UNKNOWN', `the layout has no manifest ${descriptor.digest}`);
      }
      return { descriptor, bytes: await openContent(descriptor, content, { signal }).bytes(defaultLimit) };
    },
  };
}

async function fileOf(file: LayoutFile, descriptor: Descriptor): Promise<ReopenableContent | undefined> {
  assertDescriptor(descriptor);
  return file(blobPath(parseDigest(descriptor.digest)));
}

/** Reads one of the layout's own files. Rejects with CONTENT_TOO_LARGE. */
async function readSmall(file: LayoutFile, path: string, { signal }: CallOptions): Promise<Uint8Array | undefined> {
  signal?.throwIfAborted();
  const content = await file(path);
  if (content === undefined) return undefined;
  let size = 0;
  const bounded = async function* bounded(): AsyncGenerator<Uint8Array> {
    for await (const piece of readSource(content, signal)) {
      size += piece.length;
      if (size > defaultLimit)
        throw new RegistryError('CONTENT_TOO_LARGE', `the layout's ${path} is larger than 50 MiB`);
      yield piece;
    }
  };
  return new Uint8Array(await new Blob((await collect(bounded())) as BlobPart[]).arrayBuffer());
}
