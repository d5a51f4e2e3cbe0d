import type { Registry } from 'ocikit';
import { createClient } from 'ocikit/client';
import { dockerCredentials, nodeFetch } from 'ocikit/node';
import type { Logger } from 'ocikit/server';
import { cache, upstreams } from 'ocikit/views';
import type { CacheEvent, CacheRegistry } from 'ocikit/views';

import type { ProxiedHost, ProxyFlags } from './proxy-options.ts';

/** A cache that is going to be served, until it is closed. */
export interface Proxy {
  registry: Registry;
  close(): Promise<void>;
}

/** @param store where it keeps what it has fetched */
export function openProxy(
  hosts: readonly ProxiedHost[],
  flags: ProxyFlags,
  parts: { store: Registry; local: Registry | undefined; logger: Logger },
): Proxy {
  const { store, local, logger } = parts;
  const fetch = nodeFetch();
  const credentials = dockerCredentials();
  const clientOf = ({ host, scheme }: ProxiedHost): Registry =>
    createClient({
      host,
      scheme,
      fetch,
      credentials,
      // One download is one request there, and a limit concerns everybody who asks the cache: it is the cache that waits.
      parallel: false,
      backOff: { attempts: 3, longestRetryAfter: 0 },
      onWarning: (text) => logger.warn('the upstream warns', { host, text }),
    });
  const registry: CacheRegistry = cache(
    upstreams(Object.fromEntries(hosts.map((each) => [each.name, clientOf(each)]))),
    store,
    { local, maxSize: flags.cacheSize, maxAge: flags.tagAge, onEvent: (event) => log(event, logger) },
  );
  return {
    registry,
    async close() {
      await registry.close();
      fetch.close();
    },
  };
}

const troubles: ReadonlySet<CacheEvent['type']> = new Set(['stale', 'failed', 'unkept', 'corrupt']);

function log({ type, kind, repository, reference, size, error }: CacheEvent, logger: Logger): void {
  const fields = {
    [kind]: `${repository}${kind === 'tag' ? ':' : '@'}${reference}`,
    ...(size === undefined ? {} : { size }),
    // Where it went wrong in this program is of no use to whoever reads this.
    ...(error === undefined ? {} : { because: error instanceof Error ? error.message : error }),
  };
  if (troubles.has(type)) logger.warn(`cache ${type}`, fields);
  else logger.info?.(`cache ${type}`, fields);
}
