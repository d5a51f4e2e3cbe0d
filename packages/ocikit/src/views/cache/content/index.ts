// Blobs, manifests, tags and lists of a cache.
export { CachedBlobs } from './blobs.ts';
export { cachedReferrers, cachedRepositories, cachedTags } from './lists.ts';
export { CachedManifests } from './manifests.ts';
export { TagStates } from './tag-states.ts';
export { CachedTags } from './tags.ts';
