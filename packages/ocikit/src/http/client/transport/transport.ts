// Requests to one registry: what may be sent again, how often and when.
import { HttpError, RegistryError } from '../../../model/index.ts';
import type { CallOptions } from '../../../model/index.ts';
import { createRetry } from '../../../transfer/index.ts';
import type { Attempt, Retry, RetryRules } from '../../../transfer/index.ts';
import type { Fetch } from '../../wire/index.ts';
import type { Authenticator, TokenRequestInfo } from '../auth/index.ts';
import { redactUrl, registryBase } from '../shared/index.ts';
import type { ClientOptions, ClientResponse } from '../shared/index.ts';

import { createTrails } from './explanation.ts';
import type { Trails } from './explanation.ts';
import { isRead } from './request.ts';
import type { ClientRequest } from './request.ts';
import { Sender } from './sender.ts';
import { TemporaryErrors } from './temporary-errors.ts';

/** Sends requests to one registry: authorized, as often as needed, after redirects, a bounded number at a time. */
export interface Transport {
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
  /** The error for a response that a registry must not give. It is never tried again, and `explain` knows it. */
  wrongResponse(response: ClientResponse, what: string): Error;
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
  readonly #trails: Trails = createTrails();
  readonly #temporary = new TemporaryErrors();
  readonly #sender: Sender;
  /** The requests of responses that were handed on. */
  readonly #requests = new WeakMap<ClientResponse, ClientRequest>();

  constructor(options: ClientOptions, makeAuthenticator: MakeAuthenticator) {
    // A wrapper, as browsers refuse a `fetch` that is called as a method.
    const { fetch: fetcher = (url, init) => fetch(url, init) } = options;
    this.base = registryBase(options.host, options.scheme);
    this.#retry = createRetry(options);
    const authenticator = makeAuthenticator(this.base, fetcher, this.#trails.tokenRequest);
    this.#sender = new Sender(options, {
      base: this.base,
      fetch: fetcher,
      authenticator,
      trails: this.#trails,
      temporary: this.#temporary,
    });
  }

  async send(request: ClientRequest): Promise<ClientResponse> {
    const { call, scope, repeatable = isRead(request.method) } = request;
    const sending = this.#sender.begin(request);
    const response = await this.#attempt(call, () => sending.send(), {
      // A status below 500 says that nothing was done; a later status and a cut connection do not.
      isTemporary: (error) =>
        this.#temporary.has(error) &&
        sending.isRepeatable &&
        (repeatable || (error instanceof HttpError && error.status < 500)),
      onWait: (error, delay, attempt) => {
        this.#trails.retried(call, delay);
        const repository = scope.find(({ type }) => type === 'repository')?.resource;
        if (repository !== undefined) call.onEvent?.({ type: 'retried', repository, attempt, delay, error });
      },
    });
    this.#requests.set(response, request);
    return response;
  }

  attempt<T>(call: CallOptions, run: Attempt<T>): Promise<T> {
    return this.#attempt(call, run, {
      isTemporary: (error) => this.#temporary.has(error),
      onWait: (_, delay) => this.#trails.retried(call, delay),
    });
  }

  async #attempt<T>(call: CallOptions, run: Attempt<T>, rules: RetryRules): Promise<T> {
    try {
      return await this.#retry(call, rules, run);
    } catch (error) {
      this.#trails.note(error, call);
      throw error;
    }
  }

  wrongResponse(response: ClientResponse, what: string): Error {
    const { method = '', url = response.url, call = {} } = this.#requests.get(response) ?? {};
    const error = new RegistryError('UNKNOWN', `the answer to ${method} ${redactUrl(url)} ${what}`);
    this.#trails.note(error, call);
    return error;
  }

  begin<T extends CallOptions>(options: T | undefined): T {
    return this.#trails.begin(options);
  }

  note(error: unknown, call: CallOptions): void {
    this.#trails.note(error, call);
  }
}
