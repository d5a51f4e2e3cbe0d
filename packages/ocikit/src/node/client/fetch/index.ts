// A `fetch` over node:http and node:https.
export type { Address } from './connection-options.ts';
export { nodeFetch } from './fetch.ts';
export type { NodeFetch, NodeFetchOptions } from './fetch.ts';
