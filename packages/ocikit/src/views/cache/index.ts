export { cache } from './cache.ts';
export type { CacheRegistry } from './cache.ts';
export type { CacheEvent, CacheEventType, CacheOptions, OnCacheEvent } from './options.ts';
export { upstreams } from './upstreams.ts';
export type { ListedUpstream, UpstreamChoice, Upstreams, UpstreamsOptions } from './upstreams.ts';
