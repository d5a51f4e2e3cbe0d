// Registries that change or combine other registries.
export * from './access-checker.ts';
export * from './cache/index.ts';
export * from './debug.ts';
export * from './immutable.ts';
export type { ObservedCall, ObservedResult } from './shared/index.ts';
export * from './read-only.ts';
export * from './route.ts';
export * from './select.ts';
export * from './sub.ts';
export * from './trace.ts';
export * from './unify/index.ts';
