import {
  assertRepository,
  assertTag,
  collect,
  mediaTypePattern,
  mediaTypes,
  parseDigest,
  RegistryError,
} from '../../../model/index.ts';
import type { Descriptor } from '../../../model/index.ts';
import { buildPath, formatNextLink } from '../../wire/index.ts';
import { json, jsonText } from '../shared/index.ts';
import type { Reply } from '../shared/index.ts';

import type { ApiRequest, ResourceOf } from './api-request.ts';

/** Every repository, in pages. Not in the distribution specification; as Docker's registry has it. */
export async function listRepositories(request: ApiRequest<ResourceOf<'catalog'>>): Promise<Reply> {
  const last = request.query.get('last') ?? undefined;
  if (last !== undefined) assertRepository(last);
  const page = await pageOf(request, last, (limit) =>
    collect(request.registry.repositories({ ...request.call, startAfter: last, limit })),
  );
  return json(200, { repositories: page.entries }, linkTo(request, page.next));
}

/** Distribution specification, "Listing Tags". */
export async function listTags(request: ApiRequest<ResourceOf<'tags'>>): Promise<Reply> {
  const { repository } = request.route;
  const last = request.query.get('last') ?? undefined;
  if (last !== undefined) assertTag(last);
  const page = await pageOf(request, last, (limit) =>
    collect(request.registry.tags(repository, { ...request.call, startAfter: last, limit })),
  );
  return json(200, { name: repository, tags: page.entries }, linkTo(request, page.next));
}

/** A page of referrers is an index like any other, so it has to be of a size that clients read. */
const maxReferrersSize = 4 * 1024 * 1024;
const referrersPage = 1000;
const encoder = new TextEncoder();

/** Distribution specification, "Listing Referrers". */
export async function listReferrers(request: ApiRequest<ResourceOf<'referrers'>>): Promise<Reply> {
  const { registry, route, query, options, call } = request;
  if (options.disableReferrersApi === true) {
    throw new RegistryError('NOT_FOUND', 'this registry does not have the referrers API');
  }
  const digest = parseDigest(route.digest);
  const artifactType = artifactTypeIn(query);
  const last = query.get('last') ?? undefined;
  if (last !== undefined) parseDigest(last);

  const limit = Math.min(pageSize(request) ?? referrersPage, referrersPage);
  const entries: string[] = [];
  let next: string | undefined;
  if (limit > 0) {
    let size = 0;
    let previous: Descriptor | undefined;
    const referrers = registry.referrers(route.repository, digest, {
      ...call,
      artifactType,
      startAfter: last,
      limit: limit + 1,
    });
    for await (const descriptor of referrers) {
      const text = JSON.stringify(descriptor);
      size += encoder.encode(text).length + 1;
      if (previous !== undefined && (entries.length === limit || size > maxReferrersSize - 1024)) {
        next = previous.digest;
        break;
      }
      entries.push(text);
      previous = descriptor;
    }
  }

  const headers: Reply['headers'] = { 'Content-Type': mediaTypes.imageIndex, ...linkTo(request, next) };
  if (artifactType !== undefined) headers['OCI-Filters-Applied'] = 'artifactType';
  const body = `{"schemaVersion":2,"mediaType":"${mediaTypes.imageIndex}","manifests":[${entries.join(',')}]}`;
  return jsonText(200, body, headers);
}

function artifactTypeIn(query: URLSearchParams): string | undefined {
  const artifactType = query.get('artifactType') ?? undefined;
  if (artifactType === undefined || artifactType === '') return undefined;
  if (artifactType.length > 255 || !mediaTypePattern.test(artifactType)) {
    throw new RegistryError('BAD_REQUEST', 'artifactType is not a media type');
  }
  return artifactType;
}

interface Page {
  entries: string[];
  /** The last entry, if there are more. */
  next: string | undefined;
}

/** One page of names. It asks for one more than it needs, to know whether there is a next one. */
async function pageOf(
  request: ApiRequest,
  last: string | undefined,
  list: (limit: number) => Promise<string[]>,
): Promise<Page> {
  const { pageSize: most } = request.limits;
  const limit = Math.min(pageSize(request) ?? request.options.maxListPageSize ?? most, most);
  if (limit === 0) {
    // An unknown repository is unknown also if nothing of it is asked for.
    await list(0);
    return { entries: [], next: undefined };
  }
  const entries = await list(limit + 1);
  if (entries.length <= limit) return { entries, next: undefined };
  entries.length = limit;
  return { entries, next: entries.at(-1) ?? last };
}

/** The `n` parameter. */
function pageSize({ query, options }: ApiRequest): number | undefined {
  const n = query.get('n');
  if (n === null) return undefined;
  if (!/^[0-9]+$/.test(n)) {
    throw new RegistryError(
      'PAGINATION_NUMBER_INVALID',
      `n is ${JSON.stringify(n.slice(0, 40))}, not a number from 0 up`,
    );
  }
  const most = options.maxListPageSize;
  if (most !== undefined && Number(n) > most) {
    throw new RegistryError('PAGINATION_NUMBER_INVALID', `n is ${n}, but a page has ${most} entries at most`, {
      detail: { n: most },
    });
  }
  return Number(n);
}

/** The same request again, from the next entry on. */
function linkTo({ route, query, options }: ApiRequest, next: string | undefined): Record<string, string> {
  if (next === undefined || options.omitLinkHeaderFromResponses === true) return {};
  const following = new URLSearchParams(query);
  following.set('last', next);
  return { Link: formatNextLink(buildPath(route), following) };
}
