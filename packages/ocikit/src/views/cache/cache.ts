// A pull-through cache: the public view that combines cached reads with pushes, if there is a registry for them.
import { maintenance, partialRegistry, RegistryError } from '../../model/index.ts';
import type { Registry } from '../../model/index.ts';

import { cached } from './cached.ts';
import { settingsOf } from './shared/index.ts';
import type { CacheOptions } from './shared/index.ts';
import { soleUpstream } from './upstream/index.ts';
import type { Upstreams } from './upstream/index.ts';
import { withLocal } from './local/index.ts';

/** A cache. Close it before its store: downloads may be running. */
export interface CacheRegistry extends Registry, AsyncDisposable {
  /** Ends running downloads, and eviction. */
  close(): Promise<void>;
}

/**
 * A pull-through cache: a pull is answered from the store. Content that the store lacks comes from an upstream, and the
 * store keeps it.
 *
 * - Content with a digest is kept as long as there is room, and answered without a request to the upstream.
 * - A tag is compared with the upstream's after `maxAge`. If the upstream cannot be reached, the kept tag is answered
 *   for `maxStale`.
 * - A blob is fetched once for any number of callers. They read it while it arrives. Its last bytes are held back until
 *   its digest has been verified, so no caller completes wrong content, and the store keeps none.
 * - An upstream's failure is UNAVAILABLE, or TOOMANYREQUESTS if the upstream limits requests. Kept content is answered
 *   meanwhile.
 * - Every caller of the cache can read all that the cache can read. Put a view in front of it to show less.
 *
 * @param upstream one registry, or several by {@link upstreams}
 * @param store keeps the content. No other process or view writes to it. It has to be sparse: it takes a manifest
 * before the content that the manifest names
 * @throws TypeError if `maxSize` is given and the store has no Maintenance
 * @example
 * const hub = createClient({ host: 'docker.io', fetch: nodeFetch() });
 * await using registry = cache(hub, openLayout('./cache', { sparse: true }), { maxSize: 50e9 });
 * await serve(registry);
 */
export function cache(upstream: Registry | Upstreams, store: Registry, options: CacheOptions = {}): CacheRegistry {
  const reading = cached('choose' in upstream ? upstream : soleUpstream(upstream), store, settingsOf(options));
  const { close, ...reads } = reading;
  const registry: Registry =
    options.local === undefined
      ? partialRegistry({ ...reads, [maintenance]: undefined }, { missing: takesNothing })
      : withLocal(reads, options.local);
  return { ...registry, close, [Symbol.asyncDispose]: close };
}

function takesNothing(): RegistryError {
  return new RegistryError(
    'UNSUPPORTED',
    'this cache has no local registry for pushes and deletes: give it one with the option `local`',
  );
}
