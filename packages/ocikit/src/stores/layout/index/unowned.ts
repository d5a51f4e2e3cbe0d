// The digests that a manifest names and its repository does not own, in a layout of several repositories.
import { isDigest } from '../../../model/index.ts';
import type { Digest } from '../../../model/index.ts';

import type { RepositoryIndex } from '../../repository/index.ts';

/**
 * The digests that a manifest names and that its repository does not own. `*`: it names too many of them to list, so
 * nothing that it names is owned without another proof.
 *
 * A client may push a manifest that names content of another repository: with `urls`, or to a sparse registry. This
 * list is in the manifest's index entry. So the manifest is no proof of ownership when the snapshot is lost.
 */
export type Unowned = readonly Digest[] | '*';

/** A manifest may name very many digests, and an index is read as a whole. */
const mostListed = 64;

/** Those of the digests that the repository does not own; undefined if it owns all. */
export function unownedOf(index: RepositoryIndex | undefined, digests: Iterable<Digest>): Unowned | undefined {
  const found = new Set<Digest>();
  for (const digest of digests) {
    if (index !== undefined && isOwned(index, digest)) continue;
    found.add(digest);
    if (found.size > mostListed) return '*';
  }
  return found.size === 0 ? undefined : [...found];
}

/** True if the repository owns a blob or manifest. */
export function isOwned({ blobs, manifests }: RepositoryIndex, digest: Digest): boolean {
  return blobs.has(digest) || manifests.has(digest);
}

/** True if the list says that this digest is not owned. */
export function isListed(unowned: Unowned | undefined, digest: Digest): boolean {
  return unowned !== undefined && (unowned === '*' || unowned.includes(digest));
}

/** True if the first list has all of the second one. */
export function includesUnowned(list: Unowned | undefined, other: Unowned): boolean {
  if (list === '*') return true;
  return list !== undefined && other !== '*' && other.every((digest) => list.includes(digest));
}

/** Both lists in one. */
export function joinUnowned(one: Unowned | undefined, other: Unowned): Unowned {
  if (one === undefined) return other;
  if (one === '*' || other === '*') return '*';
  const all = [...new Set([...one, ...other])];
  return all.length > mostListed ? '*' : all;
}

/** The value of the annotation. */
export function unownedText(unowned: Unowned): string {
  return unowned === '*' ? unowned : unowned.join(' ');
}

/** Reads the value of the annotation. A damaged value proves nothing, so it counts as `*`. */
export function parseUnowned(value: unknown): Unowned | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value === '*') return '*';
  const digests = value.split(' ');
  return digests.every(isDigest) && digests.length <= mostListed ? digests : '*';
}
