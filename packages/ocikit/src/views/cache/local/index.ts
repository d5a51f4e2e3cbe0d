// Pushes to a registry beside a cache.
export { withLocal } from './with-local.ts';
