import { isRegistryError, RegistryError } from '../../../model/index.ts';
import type { Descriptor, Digest } from '../../../model/index.ts';
import { formatEntityTag, matches, parseEntityTags } from '../../wire/index.ts';
import { empty } from '../shared/index.ts';
import type { Exchange, Reply } from '../shared/index.ts';

/** True if the request is to be answered only under a condition. */
export function isConditional(exchange: Exchange): boolean {
  return exchange.header('if-match') !== undefined || exchange.header('if-none-match') !== undefined;
}

/**
 * What the conditions of a read make of content that is there: undefined, or 304. RFC 9110, section 13.2.2.
 *
 * @throws RegistryError PRECONDITION_FAILED; BAD_REQUEST if a condition is malformed
 */
export function conditionOfRead(exchange: Exchange, digest: Digest, headers: Reply['headers']): Reply | undefined {
  const ifMatch = exchange.header('if-match');
  if (ifMatch !== undefined && !matches(parseEntityTags(ifMatch, 'strong'), digest)) throw failed('it', digest);
  const ifNoneMatch = exchange.header('if-none-match');
  if (ifNoneMatch === undefined || !matches(parseEntityTags(ifNoneMatch, 'weak'), digest)) return undefined;
  return empty(304, { ...headers, ETag: formatEntityTag(digest) });
}

/**
 * Whether a write may go on, by what is there now.
 *
 * @param current where it is; undefined if it does not exist
 * @throws RegistryError PRECONDITION_FAILED; BAD_REQUEST if a condition is malformed
 */
export function assertWriteConditions(exchange: Exchange, current: Digest | undefined, what: string): void {
  const ifMatch = exchange.header('if-match');
  const ifNoneMatch = exchange.header('if-none-match');
  const holds =
    (ifMatch === undefined || (current !== undefined && matches(parseEntityTags(ifMatch, 'strong'), current))) &&
    (ifNoneMatch === undefined || current === undefined || !matches(parseEntityTags(ifNoneMatch, 'weak'), current));
  if (!holds) throw failed(what, current);
}

/** Where something is; undefined if it does not exist. */
export async function currentDigest(resolve: () => Promise<Descriptor>): Promise<Digest | undefined> {
  try {
    return (await resolve()).digest;
  } catch (error) {
    if (isRegistryError(error, 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN', 'NOT_FOUND')) return undefined;
    throw error;
  }
}

function failed(what: string, current: Digest | undefined): RegistryError {
  return new RegistryError(
    'PRECONDITION_FAILED',
    `${what} is at ${current ?? 'nothing'}, which the request rules out`,
    {
      detail: { found: current },
    },
  );
}
