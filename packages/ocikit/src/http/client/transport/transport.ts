// Requests to one registry: what may be sent again, how often and when.
import { HttpError, RegistryError } from '../../../model/index.ts';
import type { CallOptions } from '../../../model/index.ts';
import { createRetry } from '../../../transfer/index.ts';
import type { Attempt, Retry, RetryRules } from '../../../transfer/index.ts';
import type { Fetch } from '../../wire/index.ts';
import type { Authenticator, TokenRequestInfo } from '../auth/index.ts';
import { redactUrl, registryBase } from '../shared/index.ts';
import type { ClientOptions, ClientResponse, ResponseFaults } from '../shared/index.ts';

import { AttemptedRequest } from './attempted-request.ts';
import type { RequestParts } from './attempted-request.ts';
import { createTrails } from './explanation.ts';
import { Lanes } from './lanes.ts';
import { RateLimits } from './rate-limits.ts';
import { isRead } from './request.ts';
import type { ClientRequest } from './request.ts';
import { TemporaryErrors } from './temporary-errors.ts';
import { WarningsOnce } from './warnings.ts';

/** Sends requests to one registry: authorized, as often as needed, after redirects, a bounded number at a time. */
export interface Transport extends ResponseFaults {
  /** The registry's base, for example `https://registry.example.com/`. */
  readonly base: URL;
  /**
   * Sends a request.
   *
   * @returns a response with one of the expected statuses
   * @throws HttpError for any other status
   * @throws RegistryError UNAVAILABLE if the registry cannot be reached
   */
  send(request: ClientRequest): Promise<ClientResponse>;
  /**
   * Runs an action until it succeeds, under the client's one policy: which errors are tried again, how often and when.
   * It is for work of several requests, such as a download that resumes at a byte, or an upload that asks for its
   * position.
   *
   * An error is tried again if it comes from {@link Transport.send} or from a response's body, and its reason may
   * pass.
   *
   * @param run is given the number of its attempt, from 1. It calls `progress` when the work has moved forward:
   * attempts are then counted from 1 again.
   */
  attempt<T>(call: CallOptions, run: Attempt<T>): Promise<T>;
  /** The options of a new call of the caller: `explain` tells the requests of two calls apart by their options. */
  begin<T extends CallOptions>(options: T | undefined): T;
  /** Lets `explain` know an error of a call. */
  note(error: unknown, call: CallOptions): void;
}

/** Makes the authenticator of one registry; undefined: requests are sent without `Authorization`. */
export type MakeAuthenticator = (
  base: URL,
  fetch: Fetch,
  onTokenRequest: (info: TokenRequestInfo) => void,
) => Authenticator | undefined;

/**
 * Makes the transport to one registry.
 *
 * @throws RegistryError NAME_INVALID if the host is anything but `HOST[:PORT]`
 */
export function createTransport(options: ClientOptions, makeAuthenticator: MakeAuthenticator): Transport {
  return new RegistryTransport(options, makeAuthenticator);
}

class RegistryTransport implements Transport {
  readonly base: URL;
  readonly #retry: Retry;
  readonly #parts: RequestParts;
  /** The requests of responses that were handed on. */
  readonly #requests = new WeakMap<ClientResponse, ClientRequest>();

  constructor(options: ClientOptions, makeAuthenticator: MakeAuthenticator) {
    // A wrapper, as browsers refuse a `fetch` that is called as a method.
    const { fetch: fetcher = (url, init) => fetch(url, init) } = options;
    this.base = registryBase(options.host, options.scheme);
    this.#retry = createRetry(options);
    const trails = createTrails();
    this.#parts = {
      base: this.base,
      fetch: fetcher,
      userAgent: options.userAgent ?? (isBrowser() ? undefined : 'ocikit'),
      authenticator: makeAuthenticator(this.base, fetcher, trails.tokenRequest),
      lanes: new Lanes(options.concurrency),
      limits: new RateLimits(options.backOff),
      warnings: new WarningsOnce(options.onWarning),
      trails,
      temporary: new TemporaryErrors(),
    };
  }

  async send(request: ClientRequest): Promise<ClientResponse> {
    const { call, scope, repeatable = isRead(request.method) } = request;
    const { trails, temporary } = this.#parts;
    const attempted = new AttemptedRequest(this.#parts, request);
    const response = await this.#attempt(call, () => attempted.send(), {
      // A status below 500 says that nothing was done; a later status and a cut connection do not.
      isTemporary: (error) =>
        temporary.has(error) &&
        attempted.isRepeatable &&
        (repeatable || (error instanceof HttpError && error.status < 500)),
      onWait: (error, delay, attempt) => {
        trails.retried(call, delay);
        const repository = scope.find(({ type }) => type === 'repository')?.resource;
        if (repository !== undefined) call.onEvent?.({ type: 'retried', repository, attempt, delay, error });
      },
    });
    this.#requests.set(response, request);
    return response;
  }

  attempt<T>(call: CallOptions, run: Attempt<T>): Promise<T> {
    return this.#attempt(call, run, {
      isTemporary: (error) => this.#parts.temporary.has(error),
      onWait: (_, delay) => this.#parts.trails.retried(call, delay),
    });
  }

  async #attempt<T>(call: CallOptions, run: Attempt<T>, rules: RetryRules): Promise<T> {
    try {
      return await this.#retry(call, rules, run);
    } catch (error) {
      this.#parts.trails.note(error, call);
      throw error;
    }
  }

  wrongResponse(response: ClientResponse, what: string): Error {
    const { method = '', url = response.url, call = {} } = this.#requests.get(response) ?? {};
    const error = new RegistryError('UNKNOWN', `the answer to ${method} ${redactUrl(url)} ${what}`);
    this.#parts.trails.note(error, call);
    return error;
  }

  begin<T extends CallOptions>(options: T | undefined): T {
    return this.#parts.trails.begin(options);
  }

  note(error: unknown, call: CallOptions): void {
    this.#parts.trails.note(error, call);
  }
}

/** Node, Deno, Bun and Workers name themselves; all browsers are Mozilla. */
function isBrowser(): boolean {
  return 'navigator' in globalThis && navigator.userAgent.startsWith('Mozilla/');
}
