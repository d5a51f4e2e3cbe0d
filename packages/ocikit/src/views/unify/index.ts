// Several registries as one.
export type { ReadOrder } from './read/index.ts';
export { PartialWriteError, TagConflictError } from './members/index.ts';
export type { TagConflict } from './read/index.ts';
export { unify } from './unify.ts';
export type { UnifyOptions } from './unify.ts';
