// The client: a registry that is reached over HTTP.
export { deadline } from '../../model/index.ts';
export { signalAfter } from '../../transfer/index.ts';
export type { BackOff, BackOffPolicy, FailedAttempt } from '../../transfer/index.ts';
export { rawBody, takesIterables } from '../wire/index.ts';
export type { Fetch, RawBody, RawBytes, ResourceScope, Scope } from '../wire/index.ts';
export { createClient } from './client.ts';
export type { Client } from './client.ts';
export type { RawRequestOptions } from './raw-request.ts';
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
