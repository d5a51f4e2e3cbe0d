// Entity tags: the `ETag`, `If-Match` and `If-None-Match` headers. RFC 9110, section 8.8.3.
import { isDigest, RegistryError } from '../../model/index.ts';
import type { Digest } from '../../model/index.ts';

/** Formats the entity tag of content, which is its digest in quotes. */
export function formatEntityTag(digest: Digest): string {
  return `"${digest}"`;
}

/**
 * `*`, or the digests in an `If-Match` or `If-None-Match` header. Other entity tags are left out, as they match
 * nothing.
 */
export type EntityTags = '*' | readonly Digest[];

/** One entity tag. Empty elements between commas are skipped. RFC 9110, section 5.6.1. */
const entityTag = /[\s,]*(W\/)?"([^"]*)"\s*(?=,|$)/y;
const nothingMore = /^[\s,]*$/;

/**
 * Parses an `If-Match` or `If-None-Match` header.
 *
 * @param comparison `strong` leaves weak entity tags out, as `If-Match` does. RFC 9110, section 8.8.3.2.
 * @throws RegistryError BAD_REQUEST if the header is malformed
 */
export function parseEntityTags(header: string, comparison: 'strong' | 'weak'): EntityTags {
  if (header.trim() === '*') return '*';
  const digests: Digest[] = [];
  entityTag.lastIndex = 0;
  while (!nothingMore.test(header.slice(entityTag.lastIndex))) {
    const [, weak, tag] = entityTag.exec(header) ?? [];
    if (tag === undefined) {
      throw new RegistryError('BAD_REQUEST', `${JSON.stringify(header.slice(0, 200))} is not a list of entity tags`);
    }
    if (isDigest(tag) && (weak === undefined || comparison === 'weak')) digests.push(tag);
  }
  return digests;
}

/** Returns true if a header names the content with this digest. */
export function matches(tags: EntityTags, digest: Digest): boolean {
  return tags === '*' || tags.includes(digest);
}
