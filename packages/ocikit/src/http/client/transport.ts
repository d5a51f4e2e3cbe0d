import { HttpError, RegistryError } from '../../model/index.ts';
import type { CallOptions } from '../../model/index.ts';

import { FetchedAnswer } from './answers.ts';
import type { Answer } from './answers.ts';
import { registryBase } from './addresses.ts';
import type { Authenticator, Authorization, TokenRequestInfo } from './auth/index.ts';
import { Lanes } from './concurrency.ts';
import type { Release } from './concurrency.ts';
import { httpError, maxErrorBody, redactUrl } from './errors.ts';
import { Trails } from './explanation.ts';
import type { Fetch, RawBody } from './fetch.ts';
import type { ClientOptions } from './options.ts';
import { RateLimits } from './rate-limits.ts';
import { follow } from './redirects.ts';
import type { Hop } from './redirects.ts';
import type { ClientRequest } from './request.ts';
import { isTemporaryFault, isTemporaryStatus, Retries } from './retry.ts';
import { SentBody } from './sent-body.ts';
import { WarningsOnce } from './warnings.ts';

export type { Answer } from './answers.ts';

/**
 * Sends requests to one registry: authenticated, as often as it takes, after redirects, a bounded number at a time.
 */
export interface Transport {
  /** The registry's base, for example `https://registry.example.com/`. */
  readonly base: URL;
  /**
   * @returns an answer with one of the statuses that are expected
   * @throws HttpError for any other status
   * @throws RegistryError UNAVAILABLE if the registry cannot be reached
   */
  send(request: ClientRequest): Promise<Answer>;
  /**
   * Runs an action until it gives something, under the client's one policy: what may be tried again, how often and when. For what is more
   * than one request, as a download that goes on from its byte, or an upload that asks where it stands.
   *
   * What is tried again is what {@link Transport.send} and a body of an {@link Answer} fail with for reasons that may pass.
   *
   * @param run is given the number of its attempt, from 1; calling `progress` says that it has moved on, and its attempts count anew
   */
  attempt<T>(call: CallOptions, run: (attempt: number, progress: () => void) => Promise<T>): Promise<T>;
  /** An error for an answer that a registry must not give, which is never tried again; `explain` knows it. */
  wrongAnswer(answer: Answer, what: string): Error;
  /** The options of a new call of the caller's: `explain` tells its requests apart from those of others by them. */
  begin<T extends CallOptions>(options: T | undefined): T;
  /** Lets `explain` know an error that came about in a call. */
  note(error: unknown, call: CallOptions): void;
}

/** Makes what finds the `Authorization` of requests to one registry. */
export type MakeAuthenticator = (
  base: URL,
  fetch: Fetch,
  onTokenRequest: (info: TokenRequestInfo) => void,
) => Authenticator | undefined;

export function createTransport(options: ClientOptions, makeAuthenticator: MakeAuthenticator): Transport {
  return new FetchTransport(options, makeAuthenticator);
}

/** Attempts to find an `Authorization` that is accepted: without any, with a token, with one that allows more. */
const maxAuthorizations = 3;

class FetchTransport implements Transport {
  readonly base: URL;
  readonly #fetch: Fetch;
  readonly #userAgent: string | undefined;
  readonly #authenticator: Authenticator | undefined;
  readonly #lanes: Lanes;
  readonly #limits: RateLimits;
  readonly #retries: Retries;
  readonly #trails = new Trails();
  readonly #warnings: WarningsOnce;
  /** What has failed for reasons that may pass. */
  readonly #temporary = new WeakSet();
  readonly #requests = new WeakMap<Answer, ClientRequest>();

  constructor(options: ClientOptions, makeAuthenticator: MakeAuthenticator) {
    this.base = registryBase(options.host, options.scheme);
    // Called on its own, as browsers demand it.
    const { fetch: given = (url, init) => fetch(url, init) } = options;
    this.#fetch = given;
    this.#userAgent = options.userAgent ?? (isBrowser() ? undefined : 'ocikit');
    this.#lanes = new Lanes(options.concurrency);
    this.#retries = new Retries(options);
    this.#limits = new RateLimits(options.backOff);
    this.#warnings = new WarningsOnce(options.onWarning);
    this.#authenticator = makeAuthenticator(this.base, given, (info) => this.#trails.tokens.add(info));
  }

  attempt<T>(call: CallOptions, run: (attempt: number, progress: () => void) => Promise<T>): Promise<T> {
    return this.#explained(call, () =>
      this.#retries.repeat(
        call,
        {
          isTemporary: (error) => this.#isTemporary(error),
          onWait: (_error, delay) => this.#trails.of(call).retried(delay),
        },
        run,
      ),
    );
  }

  send(request: ClientRequest): Promise<Answer> {
    const { call, method, repeatable = isRead(method) } = request;
    const attempted: Attempted = { mayRepeat: true };
    return this.#explained(call, () =>
      this.#retries.repeat(
        call,
        {
          // An answer below 500 says that nothing was done; a later one, and a connection that was cut, do not.
          isTemporary: (error) =>
            this.#isTemporary(error) &&
            attempted.mayRepeat &&
            (repeatable || (error instanceof HttpError && error.status < 500)),
          onWait: (error, delay, attempt) => this.#onWait(request, error, delay, attempt),
        },
        () => this.#sendOnce(request, attempted),
      ),
    );
  }

  wrongAnswer(answer: Answer, what: string): Error {
    const request = this.#requests.get(answer);
    const error = new RegistryError(
      'UNKNOWN',
      `the answer to ${request?.method ?? ''} ${redactUrl(request?.url ?? answer.url)} ${what}`,
    );
    if (request !== undefined) this.note(error, request.call);
    return error;
  }

  begin<T extends CallOptions>(options: T | undefined): T {
    return this.#trails.begin(options);
  }

  note(error: unknown, call: CallOptions): void {
    this.#trails.note(error, call);
  }

  async #explained<T>(call: CallOptions, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      this.note(error, call);
      throw error;
    }
  }

  #isTemporary(error: unknown): boolean {
    return typeof error === 'object' && error !== null && this.#temporary.has(error);
  }

  #onWait({ call, scope }: ClientRequest, error: unknown, delay: number, attempt: number): void {
    this.#trails.of(call).retried(delay);
    const repository = scope.find(({ type }) => type === 'repository')?.resource;
    if (repository !== undefined) call.onEvent?.({ type: 'retried', repository, attempt, delay, error });
  }

  async #sendOnce(request: ClientRequest, attempted: Attempted): Promise<Answer> {
    const { call, lane = 'small', expect, scope } = request;
    const { signal } = call;
    const release = await this.#lanes.take(lane, signal);
    try {
      let authorization = await this.#authenticator?.authorize(scope, signal);
      for (let sent = 1; ; sent++) {
        const { answer, own } = await this.#exchange(request, authorization, attempted, release);
        if (expect.includes(answer.status)) {
          this.#requests.set(answer, request);
          return answer;
        }
        const error = await this.#refusal(request, answer);
        // A body that is gone cannot be sent with an Authorization.
        if (!own || sent === maxAuthorizations || !attempted.mayRepeat) throw error;
        const challenges = challengesOf(answer);
        if (challenges.length === 0) throw error;
        const next = await this.#authenticator?.answer(challenges, scope, authorization, signal);
        if (next === undefined) throw error;
        authorization = next;
      }
    } catch (error) {
      release();
      throw error;
    }
  }

  async #refusal({ method, url, missing }: ClientRequest, answer: FetchedAnswer): Promise<HttpError> {
    const { status, headers } = answer;
    const body = await answer.beginning(maxErrorBody);
    const error = httpError({ method, url, status, headers, body }, missing);
    if (isTemporaryStatus(status)) this.#temporary.add(error);
    return error;
  }

  /** One request, and those that redirects make of it. */
  async #exchange(
    request: ClientRequest,
    authorization: Authorization | undefined,
    attempted: Attempted,
    release: Release,
  ): Promise<{ answer: FetchedAnswer; own: boolean }> {
    const { method, call, scope } = request;
    const { signal } = call;
    const url = this.#addressOf(request);
    await this.#limits.wait(signal);
    let headers: Headers | undefined;
    const entry = this.#trails.of(call).begin(method, url, scope, authorization !== undefined);
    try {
      const followed = await follow({ method, url, headers: this.#headersOf(request) }, this.#fetch, {
        base: this.base,
        authorization: authorization?.header,
        expect: request.expect,
        send: (hop, redirect) => this.#fetchHop(request, hop, redirect, attempted),
        onRedirect: (status, to) => entry.redirects.push({ status, to: redactUrl(to) }),
        refuse: (hop, response, why) => refusedRedirect(hop, response, why),
      });
      const { response, own } = followed;
      entry.status = response.status;
      entry.digest = response.headers.get('docker-content-digest') ?? undefined;
      entry.challenge = response.headers.get('www-authenticate') ?? undefined;
      if (own) {
        ({ headers } = response);
        this.#warnings.learn(headers);
      }
      const cut = (cause: unknown): Error => this.#unavailable(method, followed.url, cause);
      const onEnd = (): void => {
        release();
        // Some registries answer before they have been sent everything.
        attempted.sent?.abandon();
      };
      return { answer: new FetchedAnswer({ ...followed, signal, onEnd, onIdle: release, cut }), own };
    } catch (error) {
      entry.failure ??= error instanceof Error ? error.message : String(error);
      throw error;
    } finally {
      this.#limits.answered(headers);
    }
  }

  async #fetchHop(
    { method, call: { signal }, body }: ClientRequest,
    hop: Hop,
    redirect: RequestRedirect,
    attempted: Attempted,
  ): Promise<Response & RawBody> {
    // A 303 leads to what came of the request, and is asked for with GET.
    const sends = body !== undefined && hop.method === method;
    if (sends && !attempted.mayRepeat) {
      throw new RegistryError(
        'UNKNOWN',
        `${method} ${redactUrl(hop.url)}: a body that can be sent only once was sent on`,
      );
    }
    attempted.sent?.abandon();
    const sent = sends ? new SentBody(body, this.#fetch) : undefined;
    attempted.sent = sent;
    if (sends) attempted.mayRepeat = body.reopenable;
    const init = { method: hop.method, headers: hop.headers, redirect, ...sent?.init };
    try {
      return await this.#fetch(hop.url.href, (signal === undefined ? init : { ...init, signal }) as RequestInit);
    } catch (error) {
      sent?.abandon();
      if (signal?.aborted === true) throw signal.reason;
      if (sent?.failure !== undefined) throw sent.failure.error;
      throw this.#unavailable(hop.method, hop.url, error);
    }
  }

  #headersOf({ headers, body }: ClientRequest): Readonly<Record<string, string>> {
    return {
      // Bytes are compared with their digest as they are stored. A page has no say in it.
      'accept-encoding': 'identity',
      ...(this.#userAgent === undefined ? {} : { 'user-agent': this.#userAgent }),
      ...(body?.size === undefined ? {} : { 'content-length': String(body.size) }),
      ...headers,
    };
  }

  /** Distribution specification, "Registry Proxying": what is pulled says for which registry it was meant. */
  #addressOf({ method, url, call }: ClientRequest): URL {
    const namespace = call.context?.namespace;
    const pulls = isRead(method) && !url.pathname.includes('/blobs/uploads/');
    if (namespace === undefined || !pulls || url.searchParams.has('ns')) return url;
    const address = new URL(url);
    address.search += `${address.search === '' ? '' : '&'}ns=${encodeURIComponent(namespace)}`;
    return address;
  }

  #unavailable(method: string, url: URL, cause: unknown): RegistryError {
    const error = new RegistryError('UNAVAILABLE', `${method} ${redactUrl(url)}: ${reasonIn(cause)}`, { cause });
    if (isTemporaryFault(cause)) this.#temporary.add(error);
    return error;
  }
}

/** What becomes of a request with all its attempts. */
interface Attempted {
  /** False when its body has been sent, or a part of it, and cannot be opened again. */
  mayRepeat: boolean;
  /** The body of its last attempt. */
  sent?: SentBody | undefined;
}

function isRead(method: ClientRequest['method']): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** `fetch failed` says nothing; why it did is in its cause. */
function reasonIn(error: unknown): string {
  let reason = String(error);
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    const code = 'code' in at && typeof at.code === 'string' ? at.code : '';
    reason = at.message || code || reason;
  }
  return reason;
}

function refusedRedirect({ method, url }: Hop, { status }: Response, why: string): RegistryError {
  return new RegistryError('UNKNOWN', `${method} ${redactUrl(url)} was sent on (${status}) ${why}`);
}

/** What an answer asks for, if another Authorization can make it another answer. RFC 6750, section 3.1. */
function challengesOf({ status, headers }: Answer): readonly string[] {
  const header = headers.get('www-authenticate');
  if (header === null) return [];
  return status === 401 || (status === 403 && header.includes('insufficient_scope')) ? [header] : [];
}

/** Node, Deno, Bun and Workers name themselves; all browsers are Mozilla. */
function isBrowser(): boolean {
  return 'navigator' in globalThis && navigator.userAgent.startsWith('Mozilla/');
}
