// Makes the files of an image layout from images and indexes.
import { assertTag, mediaTypes, refNameAnnotation, splitDigest } from '../../model/index.ts';
import type { Descriptor, Digest } from '../../model/index.ts';

import { blobsOf, entryDescriptor, walk } from '../ref/index.ts';
import type { IndexEntry, Ref, WalkOptions } from '../ref/index.ts';

import { FileTree } from './file-tree.ts';

/** The file that marks a directory as an image layout. */
export const layoutMarker: string = 'oci-layout';
/** The file that lists the layout's images. */
export const layoutIndex: string = 'index.json';
/** The version of the image layout. */
export const layoutVersion: string = '1.0.0';

/** An image or index to put into a layout. */
export interface LayoutEntry extends IndexEntry {
  /** The entry's tag. Default: none. */
  tag?: string | undefined;
}

/**
 * Makes the files of an image layout that holds these images and indexes. All manifests are fetched now. A blob is
 * fetched and verified when its file is read. Content that several images share becomes one file. Image
 * specification, "Image Layout".
 *
 * For a directory that works as a registry too, use `openLayout` of `ocikit/layout`.
 *
 * Rejects with MANIFEST_INVALID if a tag is malformed, and like {@link walk}.
 *
 * @example
 * const tree = await layoutFiles([{ ref: await pull(registry, 'library/alpine', { tag: 'latest' }), tag: 'latest' }]);
 */
export async function layoutFiles(entries: readonly LayoutEntry[], options: WalkOptions = {}): Promise<FileTree> {
  for (const { tag } of entries) if (tag !== undefined) assertTag(tag);
  const index = { schemaVersion: 2, mediaType: mediaTypes.imageIndex, manifests: entries.map(layoutDescriptor) };
  const tree = new FileTree();
  tree.placeFile(layoutMarker, encode(`${JSON.stringify({ imageLayoutVersion: layoutVersion })}\n`));
  tree.placeFile(layoutIndex, encode(`${JSON.stringify(index, undefined, '\t')}\n`));
  tree.placeDirectory('blobs');
  const placed = new Set<Digest>();
  for (const { ref } of entries) {
    for await (const each of walk(ref, options)) {
      placeBlobs(tree, each, placed);
      const { digest } = each.descriptor;
      if (!placed.has(digest)) tree.placeFile(blobPath(digest), each.bytes);
      placed.add(digest);
    }
  }
  return tree;
}

/** Gives the path of a blob or manifest in a layout. */
export function blobPath(digest: Digest): string {
  const { algorithm, encoded } = splitDigest(digest);
  return `blobs/${algorithm}/${encoded}`;
}

function placeBlobs(tree: FileTree, ref: Ref, placed: Set<Digest>): void {
  for (const blob of blobsOf(ref)) {
    if (placed.has(blob.digest) || isNondistributable(blob)) continue;
    placed.add(blob.digest);
    tree.placeFile(blobPath(blob.digest), () => ref.openBlob(blob), { size: blob.size });
  }
}

/**
 * Layers that may not be distributed are fetched from their makers. Image specification, "Image Layer Filesystem
 * Changeset".
 */
function isNondistributable({ urls = [], mediaType }: Descriptor): boolean {
  return urls.length > 0 && /nondistributable|foreign/.test(mediaType);
}

function layoutDescriptor(entry: LayoutEntry): Descriptor {
  const { tag, annotations } = entry;
  if (tag === undefined) return entryDescriptor(entry);
  return entryDescriptor({ ...entry, annotations: { ...annotations, [refNameAnnotation]: tag } });
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
