import { HttpError, RegistryError } from '../../../model/index.ts';
import type { CallOptions } from '../../../model/index.ts';
import { createRetry } from '../../../transfer/index.ts';
import type { Attempt, Release, RetryRules } from '../../../transfer/index.ts';
import type { Fetch, RawBody } from '../../wire/index.ts';

import {
  FetchedAnswer,
  httpError,
  isTemporaryFault,
  isTemporaryStatus,
  maxErrorBody,
  redactUrl,
  registryBase,
  renamed,
} from '../shared/index.ts';
import type { Answer, ClientOptions } from '../shared/index.ts';
import type { Authenticator, Authorization, TokenRequestInfo } from '../auth/index.ts';
import { Lanes } from './lanes.ts';
import { createTrails } from './explanation.ts';
import { RateLimits } from './rate-limits.ts';
import { follow } from './redirects.ts';
import type { Hop } from './redirects.ts';
import type { ClientRequest } from './request.ts';
import { SentBody } from './sent-body.ts';
import { WarningsOnce } from './warnings.ts';

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
  attempt<T>(call: CallOptions, run: Attempt<T>): Promise<T>;
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

/** Attempts to find an `Authorization` that is accepted: without any, with a token, with one that allows more. */
const maxAuthorizations = 3;

export function createTransport(options: ClientOptions, makeAuthenticator: MakeAuthenticator): Transport {
  // Called on its own, as browsers demand it.
  const { fetch: fetcher = (url, init) => fetch(url, init), onWarning } = options;
  const base = registryBase(options.host, options.scheme);
  const userAgent = options.userAgent ?? (isBrowser() ? undefined : 'ocikit');
  const lanes = new Lanes(options.concurrency);
  const repeatUnexplained = createRetry(options);
  const limits = new RateLimits(options.backOff);
  const warnings = new WarningsOnce(onWarning);
  const trails = createTrails();
  const authenticator = makeAuthenticator(base, fetcher, trails.tokenRequest);
  /** What has failed for reasons that may pass. */
  const temporary = new WeakSet();
  const isTemporary = (error: unknown): boolean => temporary.has(error as object);
  const requests = new WeakMap<Answer, ClientRequest>();

  const repeat = async <T>(call: CallOptions, policy: RetryRules, run: Attempt<T>): Promise<T> => {
    try {
      return await repeatUnexplained(call, policy, run);
    } catch (error) {
      trails.note(error, call);
      throw error;
    }
  };

  const unavailable = (method: string, url: URL, cause: unknown): RegistryError => {
    const error = new RegistryError('UNAVAILABLE', `${method} ${redactUrl(url)}: ${reasonIn(cause)}`, { cause });
    if (isTemporaryFault(cause)) temporary.add(error);
    return error;
  };

  const sendOnce = async (request: ClientRequest, attempted: Attempted): Promise<Answer> => {
    const { lane = 'small', expect, scope } = request;
    const { signal } = request.call;
    const release = await lanes.take(lane, signal);
    try {
      let authorization = await authenticator?.authorize(scope, signal);
      for (let sent = 1; ; sent++) {
        const { answer, own } = await exchange(request, authorization, attempted, release);
        if (expect.includes(answer.status)) {
          requests.set(answer, request);
          return answer;
        }
        const error = await refusal(request, answer);
        // A body that is gone cannot be sent with an Authorization.
        if (!own || sent === maxAuthorizations || !attempted.mayRepeat) throw error;
        const challenges = challengesOf(answer);
        if (challenges.length === 0) throw error;
        const next = await authenticator?.answer(challenges, scope, authorization, signal);
        if (next === undefined) throw error;
        // To log in again would change nothing.
        if (next === 'denied') throw answer.status === 401 ? renamed(error, 'DENIED') : error;
        authorization = next;
      }
    } catch (error) {
      release();
      throw error;
    }
  };

  const refusal = async ({ method, url, missing }: ClientRequest, answer: FetchedAnswer): Promise<HttpError> => {
    const { status, headers } = answer;
    const body = await answer.beginning(maxErrorBody);
    const error = httpError({ method, url, status, headers, body }, missing);
    if (isTemporaryStatus(status)) temporary.add(error);
    return error;
  };

  /** One request, and those that redirects make of it. */
  const exchange = async (
    request: ClientRequest,
    authorization: Authorization | undefined,
    attempted: Attempted,
    release: Release,
  ): Promise<{ answer: FetchedAnswer; own: boolean }> => {
    const { method, call, scope, expect } = request;
    const { signal } = call;
    const url = addressOf(request);
    await limits.wait(signal);
    let headers: Headers | undefined;
    const entry = trails.request(call, method, url, scope, authorization !== undefined);
    try {
      const followed = await follow({ method, url, headers: headersOf(request, userAgent) }, fetcher, {
        base,
        authorization: authorization?.header,
        expect,
        send: (hop, redirect) => fetchHop(request, hop, redirect, attempted),
        onRedirect: (status, to) => entry.redirects.push({ status, to: redactUrl(to) }),
      });
      const { response, own } = followed;
      entry.status = response.status;
      entry.digest = response.headers.get('docker-content-digest') ?? undefined;
      entry.challenge = response.headers.get('www-authenticate') ?? undefined;
      if (own) {
        ({ headers } = response);
        warnings.learn(headers);
      }
      const answer = new FetchedAnswer({
        ...followed,
        signal,
        onEnd() {
          release();
          // Some registries answer before they have been sent everything.
          attempted.sent?.abandon();
        },
        onIdle: release,
        cut: (cause) => unavailable(method, followed.url, cause),
      });
      return { answer, own };
    } catch (error) {
      entry.failure ??= error instanceof Error ? error.message : String(error);
      throw error;
    } finally {
      limits.answered(headers);
    }
  };

  const fetchHop = async (
    { method, call: { signal }, body }: ClientRequest,
    hop: Hop,
    redirect: RequestRedirect,
    attempted: Attempted,
  ): Promise<Response & RawBody> => {
    // A 303 leads to what came of the request, and is asked for with GET.
    const sends = body !== undefined && hop.method === method;
    if (sends && !attempted.mayRepeat) {
      throw new RegistryError('UNKNOWN', `${method} ${redactUrl(hop.url)}: what can be sent only once was sent on`);
    }
    attempted.sent?.abandon();
    const sent = sends ? new SentBody(body, fetcher) : undefined;
    attempted.sent = sent;
    if (sends) attempted.mayRepeat = body.reopenable;
    const init = { method: hop.method, headers: hop.headers, redirect, ...sent?.init };
    try {
      return await fetcher(hop.url.href, (signal === undefined ? init : { ...init, signal }) as RequestInit);
    } catch (error) {
      sent?.abandon();
      if (signal?.aborted === true) throw signal.reason;
      throw sent?.failure === undefined ? unavailable(hop.method, hop.url, error) : sent.failure.error;
    }
  };

  return {
    base,
    begin: trails.begin,
    note: trails.note,
    attempt: (call, run) => repeat(call, { isTemporary, onWait: (_, delay) => trails.retried(call, delay) }, run),
    send(request) {
      const { call, method, scope, repeatable = isRead(method) } = request;
      const attempted: Attempted = { mayRepeat: true };
      const policy: RetryRules = {
        // An answer below 500 says that nothing was done; a later one, and a connection that was cut, do not.
        isTemporary: (error) =>
          isTemporary(error) &&
          attempted.mayRepeat &&
          (repeatable || (error instanceof HttpError && error.status < 500)),
        onWait(error, delay, attempt) {
          trails.retried(call, delay);
          const repository = scope.find(({ type }) => type === 'repository')?.resource;
          if (repository !== undefined) call.onEvent?.({ type: 'retried', repository, attempt, delay, error });
        },
      };
      return repeat(call, policy, () => sendOnce(request, attempted));
    },
    wrongAnswer(answer, what) {
      const { method = '', url = answer.url, call = {} } = requests.get(answer) ?? {};
      const error = new RegistryError('UNKNOWN', `the answer to ${method} ${redactUrl(url)} ${what}`);
      trails.note(error, call);
      return error;
    },
  };
}

function headersOf({ headers, body }: ClientRequest, userAgent: string | undefined): Readonly<Record<string, string>> {
  return {
    // Bytes are compared with their digest as they are stored. A page has no say in it.
    'accept-encoding': 'identity',
    ...(userAgent === undefined ? {} : { 'user-agent': userAgent }),
    ...(body?.size === undefined ? {} : { 'content-length': String(body.size) }),
    ...headers,
  };
}

/** Distribution specification, "Registry Proxying": what is pulled says for which registry it was meant. */
function addressOf({ method, url, call }: ClientRequest): URL {
  const namespace = call.context?.namespace;
  const pulls = isRead(method) && !url.pathname.includes('/blobs/uploads/');
  if (namespace === undefined || !pulls || url.searchParams.has('ns')) return url;
  const address = new URL(url);
  address.search += `${address.search === '' ? '' : '&'}ns=${encodeURIComponent(namespace)}`;
  return address;
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
