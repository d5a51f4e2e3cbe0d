import type { Registry } from '../../model/index.ts';

import { Http } from './http.ts';
import type { Fetch } from './http.ts';
import { clientLister } from './lister.ts';
import { clientReader } from './reader.ts';
import { clientWriter, condition } from './writer.ts';

export interface TestClientOptions {
  /** What sends the requests; the global `fetch` if it is left out. */
  fetch?: Fetch | undefined;
}

/**
 * A registry over HTTP, for tests of servers: written from the specification alone, so that it and a server check one
 * another. It is complete but plain: it does not authenticate, follow redirects or try again, and where an answer lacks
 * something that the specification demands, it fails.
 */
export function testClient(baseUrl: string, options: TestClientOptions = {}): Registry {
  const http = new Http(baseUrl, options.fetch ?? fetch);
  const reader = clientReader(http);
  return {
    ...reader,
    ...clientWriter(http, reader.resolveBlob.bind(reader)),
    ...clientLister(http),
    async deleteBlob(repository, digest, { signal } = {}) {
      await http.send({ method: 'DELETE', url: http.blob(repository, digest), signal, expect: [202] });
    },
    async deleteManifest(repository, digest, { signal } = {}) {
      await http.send({ method: 'DELETE', url: http.manifest(repository, digest), signal, expect: [202] });
    },
    async deleteTag(repository, tag, { signal, ifTag } = {}) {
      const headers = condition(ifTag);
      await http.send({ method: 'DELETE', url: http.tag(repository, tag), headers, signal, expect: [202] });
    },
  };
}
