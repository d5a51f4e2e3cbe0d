import type { Fetch } from '../fetch.ts';

import type { Credentials } from './credentials.ts';
import type { Scope } from './scope.ts';

export interface AuthenticatorOptions {
  /** The registry's own origin: who it is to whom credentials belong. */
  origin: string;
  credentials: Credentials | undefined;
  fetch: Fetch;
  userAgent: string | undefined;
  /** Origins of token servers that may be given stored secrets though they are not the registry's. */
  trustedRealms: readonly string[];
  /** Told of each request to a token server and of what came of it, without secrets. */
  onTokenRequest?: ((request: TokenRequestInfo) => void) | undefined;
}

export interface TokenRequestInfo {
  method: 'GET' | 'POST';
  /** Without secrets. */
  url: string;
  status: number | undefined;
  /** The scopes asked for. */
  scope: readonly string[];
  error?: unknown;
}

/** What was sent in `Authorization`, to be compared and never shown. */
export interface Authorization {
  readonly header: string;
}

/** Finds what to send in `Authorization`. One for each registry; it keeps its tokens. */
export interface Authenticator {
  /** What to send with a first attempt; undefined: nothing, as nothing is known yet or nothing needed. */
  authorize(scope: Scope, signal: AbortSignal | undefined): Promise<Authorization | undefined>;
  /**
   * After a 401, or a 403 that says `insufficient_scope`: what to send the request with again.
   *
   * @param refused what the request was sent with: it is never used again for this
   * @returns undefined if there is nothing else to try: the answer is the caller's
   */
  answer(
    challenges: readonly string[],
    scope: Scope,
    refused: Authorization | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Authorization | undefined>;
}
