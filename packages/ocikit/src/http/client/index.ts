export type { Credential, Credentials } from './auth/index.ts';
export { createClient } from './client.ts';
export { explain } from './explanation.ts';
export type { ExplainedRequest, ExplainedTokenRequest, Explanation } from './explanation.ts';
export { rawBody, takesIterables } from './fetch.ts';
export type { Fetch, RawBody } from './fetch.ts';
export type { BackOff, ClientOptions, ParallelOptions } from './options.ts';
export { deadline, signalAfter } from './retry.ts';
export type { PartialContent, TransferStore } from './transfer-store.ts';
