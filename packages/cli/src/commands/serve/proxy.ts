// Opens the pull-through cache that `ocikit serve --proxy` serves.
import type { Registry } from 'ocikit';
import { createClient } from 'ocikit/client';
import { dockerCredentials, nodeFetch } from 'ocikit/node';
import type { Logger } from 'ocikit/server';
import { cache, upstreams } from 'ocikit/views';
import type { CacheEvent, CacheRegistry } from 'ocikit/views';

import type { ProxiedHost, ProxyFlags } from './proxy-options.ts';

/** An open cache. */
export interface Proxy {
  /** The cache as a registry. */
  registry: Registry;
  /** Ends running downloads and closes connections. */
  close(): Promise<void>;
}

/**
 * Opens a cache of `hosts`.
 *
 * @param parts `store` holds fetched content, `local` pushed content
 */
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
      // The cache waits for rate limits itself: a limit concerns all of its clients.
      // One request per download: upstreams count requests.
      parallel: false,
      backOff: { attempts: 3, longestRetryAfter: 0 },
      onRetry: (error, delay) =>
        logger.warn('the upstream failed: trying again', {
          host,
          delay,
          because: error instanceof Error ? error.message : error,
        }),
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

const troubles: ReadonlySet<CacheEvent['type']> = new Set(['stale', 'failed', 'unkept', 'corrupt', 'malformed']);

function log({ type, kind, repository, reference, size, error }: CacheEvent, logger: Logger): void {
  const fields = {
    [kind]: `${repository}${kind === 'tag' ? ':' : '@'}${reference}`,
    ...(size === undefined ? {} : { size }),
    // Without the stack: the reader of the log needs the reason, not the place in this program.
    ...(error === undefined ? {} : { because: error instanceof Error ? error.message : error }),
  };
  if (troubles.has(type)) logger.warn(`cache ${type}`, fields);
  else logger.info?.(`cache ${type}`, fields);
}
