// A pull-through cache.
export { cache } from './cache.ts';
export type { CacheRegistry } from './cache.ts';
export type { CacheEvent, CacheEventType, CacheOptions, OnCacheEvent } from './shared/index.ts';
export { upstreams } from './upstream/index.ts';
export type { ListedUpstream, UpstreamChoice, Upstreams, UpstreamsOptions } from './upstream/index.ts';
