// The names of the entries of an image layout, and the tags in them: one reader for files and for stores.
import { isDigest } from './digest.ts';
import { isTag, parseRelativeReference } from './reference.ts';

/**
 * The annotation that names an entry: a tag, or a whole name. Image specification, "Pre-Defined Annotation Keys".
 *
 * @example descriptor.annotations?.[refNameAnnotation] // 'v1'
 */
export const refNameAnnotation: string = 'org.opencontainers.image.ref.name';

/**
 * Containerd's annotation for the whole name of an image. Its `ref.name` has only the tag or the digest.
 *
 * @example descriptor.annotations?.[imageNameAnnotation] // 'registry.example/team/app:v1'
 */
export const imageNameAnnotation: string = 'io.containerd.image.name';

/** The tag of a layout's entry, and where it was found. */
export interface EntryTag {
  /** The tag. */
  tag: string;
  /** The annotation that has the tag. */
  from: 'ref.name' | 'image.name';
}

/**
 * The tag of an entry: the one in `ref.name`, which is a tag or ends with one, else the one in containerd's name.
 *
 * @example tagOfEntry('foo/bar:1.0.0') // { tag: '1.0.0', from: 'ref.name' }
 * @param refName the text of the annotation `org.opencontainers.image.ref.name`, if there is one
 * @param imageName the text of the annotation `io.containerd.image.name`, if there is one
 * @returns undefined if the entry has no tag
 */
export function tagOfEntry(refName: string | null | undefined, imageName?: string): EntryTag | undefined {
  const own = tagInName(refName ?? '');
  if (own !== undefined) return { tag: own, from: 'ref.name' };
  const tag = tagInName(imageName ?? '');
  return tag === undefined ? undefined : { tag, from: 'image.name' };
}

/**
 * Parses a name without a repository: `tag`, `@digest`, `tag@digest` or nothing.
 *
 * @example parseBareName('v1', true) // { tag: 'v1' }
 * @param withBoth whether `name@digest` has a tag; otherwise it has a repository
 * @returns undefined for other names
 */
export function parseBareName(name: string, withBoth: boolean): { tag: string | undefined } | undefined {
  const at = name.indexOf('@');
  const start = at < 0 ? name : name.slice(0, at);
  if (at >= 0 && !isDigest(name.slice(at + 1))) return undefined;
  if (start === '') return { tag: undefined };
  return isTag(start) && (at < 0 || withBoth) ? { tag: start } : undefined;
}

function tagInName(name: string): string | undefined {
  const bare = parseBareName(name, true);
  if (bare !== undefined) return bare.tag;
  try {
    return parseRelativeReference(name).tag;
  } catch {
    return undefined;
  }
}
