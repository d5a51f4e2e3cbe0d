// The conditions `If-Match` and `If-None-Match` of a request. RFC 9110, section 13.
import { isRegistryError, RegistryError } from '../../../model/index.ts';
import type { Descriptor, Digest } from '../../../model/index.ts';
import { formatEntityTag, matches, parseEntityTags } from '../../wire/index.ts';
import { empty } from '../shared/index.ts';
import type { Exchange, Reply } from '../shared/index.ts';

/** Returns true if the request has a condition. */
export function isConditional(exchange: Exchange): boolean {
  return exchange.header('if-match') !== undefined || exchange.header('if-none-match') !== undefined;
}

/**
 * Judges the conditions of a read of existing content. RFC 9110, section 13.2.2.
 *
 * @returns undefined if the content has to be sent, else the reply 304
 * @throws RegistryError PRECONDITION_FAILED; BAD_REQUEST if a condition is malformed
 */
export function conditionOfRead(exchange: Exchange, digest: Digest, headers: Reply['headers']): Reply | undefined {
  const ifMatch = exchange.header('if-match');
  if (ifMatch !== undefined && !matches(parseEntityTags(ifMatch, 'strong'), digest)) {
    throw preconditionFailed('the content', digest);
  }
  const ifNoneMatch = exchange.header('if-none-match');
  if (ifNoneMatch === undefined || !matches(parseEntityTags(ifNoneMatch, 'weak'), digest)) return undefined;
  return empty(304, { ...headers, ETag: formatEntityTag(digest) });
}

/**
 * Judges the conditions of a write.
 *
 * @param current digest of the present content; undefined if there is none
 * @param what name of the target in the error
 * @throws RegistryError PRECONDITION_FAILED; BAD_REQUEST if a condition is malformed
 */
export function assertWriteConditions(exchange: Exchange, current: Digest | undefined, what: string): void {
  const ifMatch = exchange.header('if-match');
  const ifNoneMatch = exchange.header('if-none-match');
  const holds =
    (ifMatch === undefined || (current !== undefined && matches(parseEntityTags(ifMatch, 'strong'), current))) &&
    (ifNoneMatch === undefined || current === undefined || !matches(parseEntityTags(ifNoneMatch, 'weak'), current));
  if (!holds) throw preconditionFailed(what, current);
}

/** Returns the digest of the present content; undefined if there is none. */
export async function currentDigest(resolve: () => Promise<Descriptor>): Promise<Digest | undefined> {
  try {
    return (await resolve()).digest;
  } catch (error) {
    if (isRegistryError(error, 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN', 'NOT_FOUND')) return undefined;
    throw error;
  }
}

function preconditionFailed(what: string, current: Digest | undefined): RegistryError {
  const state = current === undefined ? 'does not exist' : `has the digest ${current}`;
  return new RegistryError('PRECONDITION_FAILED', `${what} ${state}, which If-Match or If-None-Match excludes`, {
    detail: { found: current },
  });
}
