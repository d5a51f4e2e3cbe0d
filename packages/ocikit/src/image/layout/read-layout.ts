// Reads images and indexes from the files of an image layout.
import {
  collect,
  imageNameAnnotation,
  mediaTypes,
  parseDigest,
  readSource,
  refNameAnnotation,
  RegistryError,
  tagOfEntry,
} from '../../model/index.ts';
import type { CallOptions, Descriptor, EntryTag } from '../../model/index.ts';

import { assertDescriptor, defaultLimit, openContent, parseJsonObject } from '../content/index.ts';
import type { ImageSource, ReopenableContent } from '../content/index.ts';
import { asIndex, createRef } from '../ref/index.ts';
import type { Index, Ref } from '../ref/index.ts';

import { blobPath, layoutIndex, layoutMarker, layoutVersion } from './layout-files.ts';

/**
 * Gives the content of a layout's file, by its path from the root, such as `index.json` or `blobs/sha256/…`;
 * undefined if there is no such file. An error that it throws ends the reading.
 */
export type LayoutFile = (path: string) => ReopenableContent | undefined | Promise<ReopenableContent | undefined>;

/** Options of {@link readLayout}. */
export interface ReadLayoutOptions extends CallOptions {
  /**
   * The tag of the entry, or its whole name, such as `docker.io/library/alpine:3`. It is compared with the entries'
   * names as they are (`org.opencontainers.image.ref.name`, then `io.containerd.image.name`), then with the tags in
   * them. If several entries have the same name, the last one counts. Default: the layout's only entry.
   */
  tag?: string | undefined;
}

/**
 * Reads one image or index of a layout.
 *
 * Rejects with MANIFEST_UNKNOWN if the layout has none, or none with this tag; with MANIFEST_INVALID if images of
 * several names match. Both errors list the names. It also rejects like {@link readLayoutIndex} and `Index.child`.
 *
 * @example
 * const ref = await readLayout((path) => () => createReadStream(join('./image', path)));
 */
export async function readLayout(file: LayoutFile, options: ReadLayoutOptions = {}): Promise<Ref> {
  const { tag, ...call } = options;
  const index = await readLayoutIndex(file, call);
  if (tag === undefined) assertOne(index.manifests);
  const entry = tag === undefined ? index.manifests.at(-1) : entryNamed(tag, index.manifests);
  if (entry === undefined) {
    const which = tag === undefined ? 'no image' : `no image ${JSON.stringify(tag.slice(0, 200))}`;
    throw new RegistryError('MANIFEST_UNKNOWN', `the layout has ${which}: it has ${namesIn(index.manifests)}`);
  }
  return index.child(entry);
}

/** The entry with this name or tag. An exact name counts more than a tag, and `ref.name` more than containerd's. */
function entryNamed(wanted: string, entries: readonly Descriptor[]): Descriptor | undefined {
  const isNamed =
    (annotation: string) =>
    ({ annotations }: Descriptor): boolean =>
      annotations?.[annotation] === wanted;
  const hasTag =
    (from: EntryTag['from']) =>
    ({ annotations }: Descriptor): boolean => {
      const found = tagOfEntry(annotations?.[refNameAnnotation], annotations?.[imageNameAnnotation]);
      return found?.tag === wanted && found.from === from;
    };
  const ways = [isNamed(refNameAnnotation), isNamed(imageNameAnnotation), hasTag('ref.name'), hasTag('image.name')];
  for (const fits of ways) {
    const found = entries.filter(fits);
    if (found.length === 0) continue;
    // Entries of one whole name are versions of one image, of which the last one counts. Other names are other images.
    assertOne([...new Map(found.map((entry) => [nameOf(entry), entry])).values()]);
    return found.at(-1);
  }
  return undefined;
}

/** @throws RegistryError MANIFEST_INVALID, naming the entries, if they are of several images */
function assertOne(entries: readonly Descriptor[]): void {
  if (new Set(entries.map(({ digest }) => digest)).size < 2) return;
  throw new RegistryError(
    'MANIFEST_INVALID',
    `the layout has ${entries.length} entries, of which one has to be chosen by a tag or name that only it has: ` +
      namesIn(entries),
  );
}

/** The name of an entry that tells the most: its whole name, else its tag, else its digest. */
function nameOf({ annotations, digest }: Descriptor): string {
  const names = [imageNameAnnotation, refNameAnnotation].map((name) => annotations?.[name]);
  return names.find((name) => name !== undefined && name !== '') ?? digest;
}

/** The names of entries, for a message. */
function namesIn(entries: readonly Descriptor[]): string {
  const names = [...new Set(entries.map((entry) => nameOf(entry).slice(0, 200)))];
  if (names.length === 0) return 'no entries';
  return names.slice(0, 20).join(', ') + (names.length > 20 ? ' …' : '');
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
