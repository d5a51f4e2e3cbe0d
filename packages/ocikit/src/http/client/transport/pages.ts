// Lists that come in pages.
import { parseNextLink } from '../../wire/index.ts';
import { isSafe, urlIn } from '../shared/index.ts';
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
  for (let url: URL | undefined = first.url; url !== undefined;) {
    read.add(url.href);
    const request: ClientRequest = { ...first, url, method: 'GET', expect: [200] };
    const page: Page = await transport.attempt(first.call, () => getPage(transport, request));
    yield page;
    const next = nextOf(transport, url, page);
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

function nextOf(transport: Transport, url: URL, { response }: Page): URL | undefined {
  const target = parseNextLink(response.headers.get('link') ?? '');
  if (target === undefined) return undefined;
  const next = urlIn(target, url);
  // Another host would be given credentials that belong to this one.
  if (next?.origin !== transport.base.origin || !isSafe(next, transport.base)) {
    throw transport.wrongResponse(response, 'leads to a next page on another host, which is not followed');
  }
  return next;
}
