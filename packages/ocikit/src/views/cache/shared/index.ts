// Options, events and timers of a cache.
export { ExpiringMap } from './expiring-map.ts';
export { settingsOf } from './options.ts';
export type { CacheEvent, CacheEventType, CacheOptions, CacheSettings, OnCacheEvent } from './options.ts';
export { giveWay, later } from './timers.ts';
