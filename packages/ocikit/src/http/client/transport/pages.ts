import { parseNextLink } from '../../wire/index.ts';

import { isSafe, urlIn } from '../shared/index.ts';
import type { ClientRequest } from './request.ts';
import type { Answer } from '../shared/index.ts';
import type { Transport } from './transport.ts';

/** A part of a list. */
export interface Page {
  answer: Answer;
  /** The JSON object that it is. */
  body: Readonly<Record<string, unknown>>;
}

/** Bytes of a page. A registry that ignores how many entries were asked for may give all that it has. */
const maxPageBytes = 32 * 1024 * 1024;

/**
 * A list, page by page. The next one is where `Link` leads, also after a short page; it is never sought at another
 * origin, and never in a circle. Distribution specification, "Listing Tags"; RFC 8288.
 *
 * @param goOn where the next page is if a page does not say so; undefined: it was the last
 */
export async function* pagesOf(
  transport: Transport,
  first: Omit<ClientRequest, 'method' | 'expect'>,
  goOn: (page: Page) => URL | undefined = () => undefined,
): AsyncGenerator<Page, void, undefined> {
  const read = new Set<string>();
  for (let url: URL | undefined = first.url; url !== undefined;) {
    read.add(url.href);
    const request: ClientRequest = { ...first, url, method: 'GET', expect: [200] };
    const page: Page = await transport.attempt(first.call, () => getPage(transport, request));
    yield page;
    const next = nextOf(transport, url, page);
    if (next !== undefined && read.has(next.href)) {
      throw transport.wrongAnswer(page.answer, 'leads to a page that has been read');
    }
    url = next ?? goOn(page);
    // It begins anew after its end.
    if (url !== undefined && read.has(url.href)) return;
  }
}

async function getPage(transport: Transport, request: ClientRequest): Promise<Page> {
  const answer = await transport.send(request);
  const body = await answer.json(maxPageBytes);
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw transport.wrongAnswer(answer, 'is no JSON object');
  }
  return { answer, body: { ...body } };
}

function nextOf(transport: Transport, url: URL, { answer }: Page): URL | undefined {
  const target = parseNextLink(answer.headers.get('link') ?? '');
  if (target === undefined) return undefined;
  const next = urlIn(target, url);
  // Whoever chooses another host would be given what belongs to this one.
  if (next?.origin !== transport.base.origin || !isSafe(next, transport.base)) {
    throw transport.wrongAnswer(answer, 'leads to a next page elsewhere');
  }
  return next;
}
