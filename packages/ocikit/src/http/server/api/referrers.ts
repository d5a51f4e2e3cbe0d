// The referrers of a manifest, in pages. Distribution specification, "Listing Referrers".
import { mediaTypes, parseDigest, RegistryError } from '../../../model/index.ts';
import type { Descriptor } from '../../../model/index.ts';
import { jsonText } from '../shared/index.ts';
import type { Reply } from '../shared/index.ts';

import type { ApiRequest, ResourceOf } from './api-request.ts';
import { linkTo, requestedPageSize } from './pages.ts';

/** Bytes of one page. A page is an image index like any other, and clients read an index up to this size. */
const maxPageBytes = 4 * 1024 * 1024;
/** Entries of one page. */
const maxPageEntries = 1000;
const encoder = new TextEncoder();

/** GET: one page of referrers, as an image index. */
export async function listReferrers(request: ApiRequest<ResourceOf<'referrers'>>): Promise<Reply> {
  const { registry, route, query, options, call } = request;
  if (options.disableReferrersApi === true) {
    throw new RegistryError('NOT_FOUND', 'this registry does not have the referrers API; use the referrers tag');
  }
  const digest = parseDigest(route.digest);
  const artifactType = options.disableReferrersFiltering === true ? undefined : artifactTypeIn(request);
  const last = query.get('last') ?? undefined;
  if (last !== undefined) parseDigest(last);

  const isWhole = options.ignorePagination === true;
  const limit = isWhole ? Infinity : Math.min(requestedPageSize(request) ?? maxPageEntries, maxPageEntries);
  const entries: string[] = [];
  let next: string | undefined;
  if (limit > 0) {
    let size = 0;
    let previous: Descriptor | undefined;
    const referrers = registry.referrers(route.repository, digest, {
      ...call,
      artifactType,
      startAfter: last,
      limit: isWhole ? undefined : limit + 1,
    });
    for await (const descriptor of referrers) {
      const text = JSON.stringify(descriptor);
      size += encoder.encode(text).length + 1;
      if (previous !== undefined && (entries.length === limit || (!isWhole && size > maxPageBytes - 1024))) {
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

/** A type that is no media type by RFC 6838 is a filter all the same: manifests may have such types. */
function artifactTypeIn({ query }: ApiRequest): string | undefined {
  const artifactType = query.get('artifactType') ?? undefined;
  if (artifactType === undefined) return undefined;
  if (artifactType.length > 255) {
    throw new RegistryError('BAD_REQUEST', 'the parameter artifactType is longer than 255 characters');
  }
  return artifactType;
}
