// Lists that come in pages.
import { HttpError, isRegistryError, isTemporary } from '../../../model/index.ts';
import { parseNextLink } from '../../wire/index.ts';
import { givenUrl, isSafe } from '../shared/index.ts';
import type { ClientResponse } from '../shared/index.ts';

import type { ClientRequest } from './request.ts';
import type { Transport } from './transport.ts';

/** A part of a list. */
export interface Page {
  /** The response that it came in; its body has been read. */
  response: ClientResponse;
  /** The JSON object that it is. */
  body: Readonly<Record<string, unknown>>;
}

/** Bytes of a page. A registry that ignores the requested number of entries may give its whole list. */
const maxPageBytes = 32 * 1024 * 1024;

/**
 * A list, page by page. `Link` leads to the next page, also after a short page; it is not followed to another origin,
 * nor in a circle. Distribution specification, "Listing Tags"; RFC 8288.
 *
 * @param nextAfter gives the URL of the next page if a page has no `Link`; undefined: it was the last one
 */
export async function* pagesOf(
  transport: Transport,
  first: Omit<ClientRequest, 'method' | 'expect'>,
  nextAfter: (page: Page) => URL | undefined = () => undefined,
): AsyncGenerator<Page, void, undefined> {
  const read = new Set<string>();
  let previous: Page | undefined;
  /** Whether the paths in `Link` are not served. */
  let isOwnPath = false;
  for (let url: URL | undefined = first.url; url !== undefined;) {
    read.add(url.href);
    const request: ClientRequest = { ...first, url, method: 'GET', expect: [200] };
    let page: Page;
    try {
      page = await transport.attempt(first.call, () => getPage(transport, request));
    } catch (error) {
      const link = previous?.response.headers.get('link') ?? undefined;
      if (previous === undefined || link === undefined || !isUnserved(error)) throw error;
      // A proxy, or a registry below a path of its own such as Nexus, has another path outside. The query is right.
      const own: URL = atPath(url, first.url);
      if (read.has(own.href)) throw error instanceof HttpError ? unserved(transport, previous, link, error) : error;
      read.add(own.href);
      isOwnPath = true;
      page = await transport
        .attempt(first.call, () => getPage(transport, { ...request, url: own }))
        .catch((second: unknown) => {
          throw previous !== undefined && isUnserved(second) ? unserved(transport, previous, link, second) : second;
        });
    }
    previous = page;
    yield page;
    const linked = nextOf(transport, url, page);
    const next = linked !== undefined && isOwnPath ? atPath(linked, first.url) : linked;
    if (next !== undefined && read.has(next.href)) {
      throw transport.wrongResponse(page.response, 'leads back to a page that has been read');
    }
    url = next ?? nextAfter(page);
    // The list begins anew after its end.
    if (url !== undefined && read.has(url.href)) return;
  }
}

async function getPage(transport: Transport, request: ClientRequest): Promise<Page> {
  const response = await transport.send(request);
  const body = await response.json(maxPageBytes);
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw transport.wrongResponse(response, 'is not a JSON object');
  }
  return { response, body: { ...body } };
}

function atPath(url: URL, { pathname }: URL): URL {
  const moved = new URL(url);
  moved.pathname = pathname;
  return moved;
}

function unserved(transport: Transport, { response }: Page, link: string, error: unknown): Error {
  const status = error instanceof HttpError ? error.status : 'no page';
  return transport.wrongResponse(response, `has the Link ${link.slice(0, 300)}, which is not served (${status})`);
}

/** Whether the path of a page may not be served: the error is neither one of permissions nor one that may pass. */
function isUnserved(error: unknown): boolean {
  if (!(error instanceof HttpError)) return isRegistryError(error, 'UNKNOWN');
  return !isTemporary(error) && ![401, 403].includes(error.status);
}

function nextOf(transport: Transport, url: URL, { response }: Page): URL | undefined {
  const link = response.headers.get('link') ?? '';
  const target = parseNextLink(link);
  if (target === undefined) return undefined;
  const next = givenUrl(target, url, transport.base);
  // Another host would be given credentials that belong to this one.
  if (next?.origin !== transport.base.origin || !isSafe(next, transport.base)) {
    throw transport.wrongResponse(response, `has the Link ${link.slice(0, 300)}, which is not followed`);
  }
  return next;
}
