// Manifests as requests and responses have them.
export { loadTagConditions } from './lazy.ts';
export { putManifest } from './put-manifest.ts';
export type { PushedBytes } from './put-manifest.ts';
export { acceptManifests, descriptorIn, readManifest } from './read-manifest.ts';
export { schema1MediaTypes } from './schema1-media-types.ts';
