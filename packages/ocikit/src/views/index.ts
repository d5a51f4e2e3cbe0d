export * from './cache/index.ts';
export * from './read-only.ts';
