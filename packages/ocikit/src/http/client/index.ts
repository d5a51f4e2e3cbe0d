// The client: a registry that is reached over HTTP.
export { deadline } from '../../model/index.ts';
export { signalAfter } from '../../transfer/index.ts';
export type { BackOff } from '../../transfer/index.ts';
export { rawBody, takesIterables } from '../wire/index.ts';
export type { Fetch, RawBody, RawBytes } from '../wire/index.ts';
export { createClient } from './client.ts';
export type {
  ClientOptions,
  Credential,
  Credentials,
  ParallelOptions,
  PartialContent,
  TransferStore,
} from './shared/index.ts';
export { explain } from './transport/index.ts';
export type { ExplainedRequest, ExplainedTokenRequest, Explanation } from './transport/index.ts';
