export { nodeFetch } from './fetch.ts';
export type { NodeFetch, NodeFetchOptions } from './fetch.ts';
export type { Address } from './connections.ts';
export * from './serve.ts';
export * from './transfers.ts';
