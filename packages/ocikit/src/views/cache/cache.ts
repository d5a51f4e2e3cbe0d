import { maintenance, partialRegistry, RegistryError } from '../../model/index.ts';
import type { Registry } from '../../model/index.ts';

import { cached } from './cached.ts';
import { settingsOf } from './shared/index.ts';
import type { CacheOptions } from './shared/index.ts';
import { soleUpstream } from './upstream/index.ts';
import type { Upstreams } from './upstream/index.ts';
import { withLocal } from './local/index.ts';

/** A cache. Close it before its store: downloads may be under way. */
export interface CacheRegistry extends Registry, AsyncDisposable {
  /** Ends the downloads that are under way, and eviction. */
  close(): Promise<void>;
}

/**
 * A pull-through cache: what is pulled comes from the store if it is there, and else from an upstream, and is kept.
 *
 * - Content by its digest is kept as long as there is room, and answered without asking.
 * - A tag is compared with the upstream's after `maxAge`. While that cannot be asked it is answered for `maxStale`.
 * - A blob is fetched once for any number of callers, who read it while it comes in. Its end is held back until its digest
 *   has been verified, so that nobody completes wrong content; nothing wrong is kept.
 * - Trouble with an upstream is UNAVAILABLE, or TOOMANYREQUESTS if it says so; what is kept is answered meanwhile.
 * - Everybody who may ask the cache is given what it may read. Who is to see less gets a view in front of it.
 *
 * @param upstream one registry, or several by {@link upstreams}
 * @param store what is kept; nobody else writes to it. It has to be sparse: a manifest comes before what it names
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
  return new RegistryError('UNSUPPORTED', 'this cache takes no pushes and deletes: it has no local registry for them');
}
