import { assertTag, mediaTypes, splitDigest } from '../../model/index.ts';
import type { Descriptor, Digest } from '../../model/index.ts';

import { entryDescriptor, walk } from '../ref/index.ts';
import type { Image, IndexEntry, WalkOptions } from '../ref/index.ts';

import { FileTree } from './file-tree.ts';

export const layoutMarker: string = 'oci-layout';
export const layoutIndex: string = 'index.json';
export const layoutVersion: string = '1.0.0';
export const refNameAnnotation: string = 'org.opencontainers.image.ref.name';

/** What an image layout has an entry for. */
export interface LayoutEntry extends IndexEntry {
  tag?: string | undefined;
}

/**
 * An image layout of these images and indexes, as files: in a directory, an archive, wherever they are written to. All manifests are fetched
 * now, blobs when their file is read, and they are verified then; each is there once. Image specification, "Image Layout".
 *
 * A directory that is a registry as well is what `openLayout` of `ocikit/layout` makes.
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
      if (each.kind === 'image') placeBlobs(tree, each, placed);
      const { digest } = each.descriptor;
      if (!placed.has(digest)) tree.placeFile(blobPath(digest), each.bytes);
      placed.add(digest);
    }
  }
  return tree;
}

/** Where a layout keeps what has this digest. */
export function blobPath(digest: Digest): string {
  const { algorithm, encoded } = splitDigest(digest);
  return `blobs/${algorithm}/${encoded}`;
}

function placeBlobs(tree: FileTree, image: Image, placed: Set<Digest>): void {
  for (const blob of [image.config, ...image.layers]) {
    if (placed.has(blob.digest) || isNondistributable(blob)) continue;
    placed.add(blob.digest);
    tree.placeFile(blobPath(blob.digest), () => image.openBlob(blob), { size: blob.size });
  }
}

/** What may not be distributed is fetched from its maker. Image specification, "Image Layer Filesystem Changeset". */
function isNondistributable({ urls = [], mediaType }: Descriptor): boolean {
  return urls.length > 0 && /nondistributable|foreign/.test(mediaType);
}

function layoutDescriptor(entry: LayoutEntry): Descriptor {
  const { tag, annotations } = entry;
  if (tag === undefined) return entryDescriptor(entry);
  return entryDescriptor({ ...entry, annotations: { ...annotations, [refNameAnnotation]: tag } });
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
