// The lists of the test client.
import { limit as atMost, mediaTypes, parseMediaType, untilAborted } from '../../model/index.ts';
import type { Descriptor, Lister, ListOptions } from '../../model/index.ts';

import { wrongAnswer } from './http.ts';
import type { Http } from './http.ts';

/** Lists tags, referrers and repositories. Distribution specification, "Content Discovery". */
export function clientLister(http: Http): Lister {
  /** The pages of a list. Each names the next one by a `Link`: RFC 8288. */
  async function* pages(first: URL, signal: AbortSignal | undefined): AsyncGenerator<Page, void, undefined> {
    for (let url: URL | undefined = first; url !== undefined;) {
      const response: Response = await http.send({ method: 'GET', url, signal, expect: [200] });
      const body: unknown = await response.json();
      if (typeof body !== 'object' || body === null) throw wrongAnswer(url, 'is no JSON object');
      yield { url, response, body: { ...body } };
      const next = /<([^>]*)>\s*;\s*rel="?next"?/.exec(response.headers.get('link') ?? '')?.[1];
      url = next === undefined ? undefined : new URL(next, url);
      if (url !== undefined && !http.isHere(url)) throw wrongAnswer(first, `names a next page elsewhere: ${url.href}`);
    }
  }

  async function* names(first: URL, field: string, { limit, signal }: ListOptions): AsyncGenerator<string> {
    async function* all(): AsyncGenerator<string, void, undefined> {
      for await (const { url, body } of pages(first, signal)) {
        const found = body[field];
        if (!Array.isArray(found)) throw wrongAnswer(url, `has no list of ${field}`);
        for (const name of found) yield String(name);
      }
    }
    if (limit !== 0) {
      yield* atMost(untilAborted(all(), signal), limit);
      return;
    }
    for await (const name of all()) throw wrongAnswer(first, `lists ${name}, though none was asked for`);
  }

  return {
    repositories(options = {}) {
      return names(http.catalog(pageOf(options)), 'repositories', options);
    },
    async *tags(repository, options = {}) {
      yield* names(http.address(repository, 'tags/list', pageOf(options)), 'tags', options);
    },
    async *referrers(repository, digest, options = {}) {
      const { artifactType, startAfter, limit, signal } = options;
      const url = http.address(repository, `referrers/${encodeURIComponent(digest)}`, { artifactType });
      async function* all(): AsyncGenerator<Descriptor, void, undefined> {
        for await (const page of pages(url, signal)) {
          assertIndex(page);
          const filtered = page.response.headers
            .get('oci-filters-applied')
            ?.split(',')
            .map((name) => name.trim());
          if (artifactType !== undefined && filtered?.includes('artifactType') !== true) {
            throw wrongAnswer(page.url, 'is not filtered');
          }
          // Descriptors as they came: the tests compare them.
          for (const descriptor of page.body['manifests'] as Descriptor[]) {
            if (startAfter === undefined || descriptor.digest > startAfter) yield descriptor;
          }
        }
      }
      yield* atMost(untilAborted(all(), signal), limit);
    },
  };
}

interface Page {
  url: URL;
  response: Response;
  body: Record<string, unknown>;
}

function assertIndex({ url, response, body }: Page): void {
  const type = parseMediaType(response.headers.get('content-type') ?? '');
  const isIndex = type === mediaTypes.imageIndex && body['mediaType'] === type && body['schemaVersion'] === 2;
  if (!isIndex || !Array.isArray(body['manifests'])) throw wrongAnswer(url, 'is no image index');
}

function pageOf({ startAfter, limit }: ListOptions): Record<string, string | undefined> {
  return { n: limit === undefined ? undefined : String(limit), last: startAfter };
}
