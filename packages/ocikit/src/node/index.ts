// The parts of the library that need Node: for clients, and for servers.
export { dockerCredentials, nodeFetch, openTransfers } from './client/index.ts';
export type {
  Address,
  DockerCredentialsOptions,
  NodeFetch,
  NodeFetchOptions,
  TransfersOptions,
} from './client/index.ts';
export { serve } from './server/index.ts';
export type { ServeLimits, ServeOptions, ServeTls, Serving } from './server/index.ts';
