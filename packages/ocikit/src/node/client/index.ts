// For clients on Node: HTTP, docker's credentials, and transfers that can be resumed.
export { dockerCredentials } from './docker/index.ts';
export type { DockerCredentialsOptions } from './docker/index.ts';
export { nodeFetch } from './fetch/index.ts';
export type { Address, NodeFetch, NodeFetchOptions } from './fetch/index.ts';
export { openTransfers } from './transfers/index.ts';
export type { TransfersOptions } from './transfers/index.ts';
