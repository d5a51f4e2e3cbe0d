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
