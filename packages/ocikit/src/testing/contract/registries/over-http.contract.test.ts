import { createServer as createHttpServer } from 'node:http';
import type { Server as HttpServer } from 'node:http';

import { afterAll, describe, test } from 'vitest';

import { createServer } from '../../../http/server/index.ts';
import { createMemoryRegistry } from '../../../stores/memory/index.ts';
import { fetchThrough } from '../../../../test/fetch-through.ts';
import { listenOnFreePort } from '../../../../test/free-port.ts';

import { describeRegistry } from '../../index.ts';
import { testClient } from '../../test-client/index.ts';

const listening: HttpServer[] = [];

afterAll(() => {
  for (const server of listening) {
    server.closeAllConnections();
    server.close();
  }
});

/** Starts one server for all cases, as for a remote registry. */
async function listen(): Promise<string> {
  const http = createHttpServer(createServer(createMemoryRegistry()).node);
  listening.push(http);
  return `http://127.0.0.1:${await listenOnFreePort(http)}`;
}

let url: Promise<string> | undefined;

describeRegistry({ describe, it: test }, 'the memory registry over node:http', {
  create: async () => ({ registry: testClient(await (url ??= listen())) }),
  traits: { remote: true, lacks: ['maintenance', 'uploadRead'] },
});

const inPages = createServer(createMemoryRegistry({ sparse: true }), { limits: { pageSize: 7 } });

describeRegistry({ describe, it: test }, 'the sparse memory registry through a fetch handler, in small pages', {
  create: async () => ({ registry: testClient('http://registry.test/', { fetch: fetchThrough(inPages.fetch) }) }),
  traits: { remote: true, sparse: true, lacks: ['maintenance', 'uploadRead'] },
});

const proxied = createServer(createMemoryRegistry({ immutableTags: true }), { disableSinglePostUpload: true });
const proxy = createServer(testClient('http://registry.test', { fetch: fetchThrough(proxied.fetch) }));

describeRegistry({ describe, it: test }, 'a proxy of the memory registry with immutable tags', {
  create: async () => ({ registry: testClient('http://proxy.test/', { fetch: fetchThrough(proxy.fetch) }) }),
  traits: { remote: true, immutableTags: true, lacks: ['maintenance', 'uploadRead'] },
});
