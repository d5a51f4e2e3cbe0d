// The options of the authenticator.
import type { RetryOptions } from '../../../transfer/index.ts';
import type { Fetch } from '../../wire/index.ts';

import type { Credentials } from '../shared/index.ts';

/** The options of the authenticator of one registry. */
export interface AuthenticatorOptions extends RetryOptions {
  /** The registry's own origin: credentials belong to its owner. */
  origin: string;
  /** The source of credentials; undefined: the registry is asked anonymously. */
  credentials: Credentials | undefined;
  /** Sends the requests to token servers. */
  fetch: Fetch;
  /** The `User-Agent` of these requests; undefined: that of `fetch`. */
  userAgent: string | undefined;
  /** Origins of token servers that may be given stored secrets though they are not the registry's. */
  trustedRealms: readonly string[];
  /** Called after each request to a token server, without secrets. */
  onTokenRequest?: ((request: TokenRequestInfo) => void) | undefined;
}

/** One request to a token server and its outcome, without secrets. */
export interface TokenRequestInfo {
  /** GET as all servers know it, or POST for OAuth2. */
  method: 'GET' | 'POST';
  /** The address, without secrets. */
  url: string;
  /** The status of the answer; undefined if there was none. */
  status: number | undefined;
  /** The scopes that were asked for. */
  scope: readonly string[];
  /** The scopes that the token is good for, where the server or the token itself says so. */
  granted?: readonly string[] | undefined;
  /** Why there was no answer, or why no request was sent. */
  error?: unknown;
}
