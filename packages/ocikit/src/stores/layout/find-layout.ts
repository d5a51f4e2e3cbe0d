// Splitting a path of the command line into a layout's directory and a reference in it.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { isDigest, isTag, ParseError, parseRelativeReference } from '../../model/index.ts';
import type { Digest, Reference } from '../../model/index.ts';

/** A layout's directory, and what a path names in it. */
export interface FoundLayout {
  /** The directory of the layout. */
  dir: string;
  /** The part of the path that names something in the layout; undefined if the path is only the layout's. */
  reference: Partial<Reference> | undefined;
}

/**
 * Splits a path as typed on a command line, such as `images/library/alpine:3`, into a layout's directory and a
 * reference in it. The directory is the deepest one with an `oci-layout` file whose rest parses as a reference. If
 * there is no such directory, the last component is the reference.
 *
 * @throws ParseError if the rest is not a reference
 */
export function findLayout(path: string): FoundLayout {
  const components = path.split('/');
  for (let count = components.length; count >= 0; count--) {
    const dir = directory(components.slice(0, count));
    const rest = components.slice(count).join('/');
    const [name, suffix] = splitSuffix(components[count - 1] ?? '');
    // `dir:tag` and `dir@digest`, for a layout whose only repository needs no name.
    if (rest === '' && suffix !== '') {
      const bare = directory([...components.slice(0, count - 1), name]);
      const reference = isMarked(bare) ? parseSuffix(suffix) : undefined;
      if (reference !== undefined) return { dir: bare, reference };
    }
    if (!isMarked(dir)) continue;
    if (rest === '') return { dir, reference: undefined };
    try {
      return { dir, reference: parseRest(rest) };
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
      // A directory further up may have a rest that parses.
      if (count === 0) throw error;
    }
  }
  const last = components.at(-1) ?? '';
  return { dir: directory(components.slice(0, -1)), reference: parseRest(last) };
}

function directory(components: readonly string[]): string {
  if (components.length === 0) return '.';
  const joined = components.join('/');
  return joined === '' ? '/' : joined;
}

function isMarked(dir: string): boolean {
  return existsSync(join(dir, 'oci-layout'));
}

function splitSuffix(component: string): [string, string] {
  const at = component.search(/[:@]/);
  return at < 0 ? [component, ''] : [component.slice(0, at), component.slice(at)];
}

function parseRest(rest: string): Partial<Reference> {
  return parseSuffix(rest) ?? parseRelativeReference(rest);
}

/** `:tag`, `@digest` or both. */
function parseSuffix(suffix: string): { tag?: string; digest?: Digest } | undefined {
  const [, tag, digest] = /^(?::([^@]+))?(?:@(.+))?$/.exec(suffix) ?? [];
  if (tag === undefined && digest === undefined) return undefined;
  if (tag !== undefined && !isTag(tag)) throw new ParseError(suffix, 'tag', 'it is not a tag');
  if (digest === undefined) return tag === undefined ? {} : { tag };
  if (!isDigest(digest)) throw new ParseError(suffix, 'digest', 'it is not a digest');
  return { ...(tag === undefined ? {} : { tag }), digest };
}
