export type { ReadOrder } from './asking.ts';
export { PartialWriteError, TagConflictError } from './errors.ts';
export type { TagConflict } from './tags.ts';
export { unify } from './unify.ts';
export type { UnifyOptions } from './unify.ts';
