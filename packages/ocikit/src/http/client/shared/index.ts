// The ground floor of the client: addresses, errors, responses, options.
export {
  blobAddress,
  catalogAddress,
  givenUrl,
  isSafe,
  manifestAddress,
  referrersAddress,
  registryBase,
  tagAddress,
  tagsAddress,
  uploadsAddress,
  urlIn,
} from './addresses.ts';
export type { Query } from './addresses.ts';
export { setBounded } from './bounded-map.ts';
export { assertSize, concat, sizeMismatch } from './bytes.ts';
export type { Credential, Credentials } from './credentials.ts';
export { httpError, isClientError, maxErrorBody, redactUrl, renamed, saying } from './errors.ts';
export { fieldsIn } from './json.ts';
export { loadPart } from './load-part.ts';
export type { ClientOptions, ParallelOptions } from './options.ts';
export { assertStored, digestIn } from './response-headers.ts';
export { discardBody, FetchedResponse } from './response.ts';
export type { ClientResponse, ResponseFaults } from './response.ts';
export { isTemporaryFault } from './temporary.ts';
export type { PartialContent, TransferStore } from './transfer-store.ts';
