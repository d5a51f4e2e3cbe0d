import { isDigest, RegistryError } from '../../model/index.ts';
import type { Digest } from '../../model/index.ts';

/** The entity tag of content: its digest. RFC 9110, section 8.8.3. */
export function formatEntityTag(digest: Digest): string {
  return `"${digest}"`;
}

/** `*`, or the digests that an `If-Match` or `If-None-Match` header lists. Other entity tags match nothing here. */
export type EntityTags = '*' | readonly Digest[];

/** Empty elements between the commas are to be ignored. RFC 9110, section 5.6.1. */
const entityTag = /[\s,]*(W\/)?"([^"]*)"\s*(?=,|$)/y;
const nothingMore = /^[\s,]*$/;

/**
 * @param comparison `strong` leaves weak entity tags out, as `If-Match` does. RFC 9110, section 8.8.3.2.
 * @throws RegistryError BAD_REQUEST if it is malformed
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

export function matches(tags: EntityTags, digest: Digest): boolean {
  return tags === '*' || tags.includes(digest);
}
