// The client for tests of servers, as a registry.
import type { Registry } from '../../model/index.ts';

import { Http } from './http.ts';
import type { Fetch } from './http.ts';
import { clientLister } from './lister.ts';
import { clientReader } from './reader.ts';
import { clientWriter, condition } from './writer.ts';

/** Options of {@link testClient}. */
export interface TestClientOptions {
  /** The function that sends requests. Default: the global `fetch`. */
  fetch?: Fetch | undefined;
}

/**
 * A registry over HTTP, for tests of servers. It is written from the specification alone, so that client and server
 * check one another. It does not authenticate, follow redirects or retry. It fails if an answer lacks something that
 * the specification demands.
 */
export function testClient(baseUrl: string, options: TestClientOptions = {}): Registry {
  const http = new Http(baseUrl, options.fetch ?? fetch);
  const reader = clientReader(http);
  return {
    ...reader,
    ...clientWriter(http, reader),
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
