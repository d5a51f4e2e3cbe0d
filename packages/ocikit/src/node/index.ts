export { nodeFetch } from './fetch.ts';
export type { NodeFetch, NodeFetchOptions } from './fetch.ts';
export type { Address } from './connections.ts';
export { dockerCredentials } from './docker-credentials.ts';
export type { DockerCredentialsOptions } from './docker-credentials.ts';
export * from './serve.ts';
export * from './transfers.ts';
