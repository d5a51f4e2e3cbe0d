// Pages of lists: the `n` and `last` parameters, and the link to the next page. Distribution specification, "Listing
// Tags".
import { RegistryError } from '../../../model/index.ts';
import { buildPath, formatNextLink } from '../../wire/index.ts';

import type { ApiRequest } from './api-request.ts';

/** One page of a list. */
export interface Page {
  /** The names on this page. */
  entries: string[];
  /** The last name on this page if a further page follows, else undefined. */
  next: string | undefined;
}

/**
 * Reads one page of names. Asks `list` for one name more than the page holds, to learn whether a further page follows.
 */
export async function pageOf(
  request: ApiRequest,
  list: (limit: number | undefined) => Promise<string[]>,
): Promise<Page> {
  if (request.options.ignorePagination === true) return { entries: await list(undefined), next: undefined };
  const { pageSize: most } = request.limits;
  const limit = Math.min(requestedPageSize(request) ?? request.options.maxListPageSize ?? most, most);
  if (limit === 0) {
    // Ask the registry all the same: it rejects an unknown repository.
    await list(0);
    return { entries: [], next: undefined };
  }
  const entries = await list(limit + 1);
  if (entries.length <= limit) return { entries, next: undefined };
  entries.length = limit;
  return { entries, next: entries.at(-1) };
}

/**
 * Returns the `n` parameter; undefined if the request has none.
 *
 * @throws RegistryError PAGINATION_NUMBER_INVALID if it is malformed, or larger than `maxListPageSize`
 */
export function requestedPageSize({ query, options }: ApiRequest): number | undefined {
  const n = query.get('n');
  if (n === null) return undefined;
  if (!/^[0-9]+$/.test(n)) {
    throw new RegistryError(
      'PAGINATION_NUMBER_INVALID',
      `the parameter n is ${JSON.stringify(n.slice(0, 40))}, which is not a whole number; use 0 or more`,
    );
  }
  const most = options.maxListPageSize;
  if (most !== undefined && Number(n) > most) {
    throw new RegistryError(
      'PAGINATION_NUMBER_INVALID',
      `the parameter n is ${n}, but a page has at most ${most} entries`,
      { detail: { n: most } },
    );
  }
  return Number(n);
}

/** Returns the `Link` header to the page after the entry `next`; no header if `next` is undefined. */
export function linkTo({ route, query, options }: ApiRequest, next: string | undefined): Record<string, string> {
  if (next === undefined || options.omitLinkHeaderFromResponses === true) return {};
  const following = new URLSearchParams(query);
  following.set('last', next);
  return { Link: formatNextLink(buildPath(route), following) };
}
