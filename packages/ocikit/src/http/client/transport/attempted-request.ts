// One request on its way to a registry: its turn, its Authorization, its redirects, its body.
import { HttpError, isRegistryError, RegistryError } from '../../../model/index.ts';
import type { Release } from '../../../transfer/index.ts';
import type { Fetch, RawBody } from '../../wire/index.ts';
import type { Authenticator, Authorization } from '../auth/index.ts';
import { FetchedResponse, httpError, maxErrorBody, redactUrl, renamed, saying } from '../shared/index.ts';
import type { ClientResponse } from '../shared/index.ts';

import type { ExplainedRequest, Trails } from './explanation.ts';
import type { Lanes } from './lanes.ts';
import type { RateLimits } from './rate-limits.ts';
import { follow } from './redirects.ts';
import type { Followed, Hop } from './redirects.ts';
import { isRead } from './request.ts';
import type { ClientRequest } from './request.ts';
import { SentBody } from './sent-body.ts';
import type { TemporaryErrors } from './temporary-errors.ts';
import type { WarningsOnce } from './warnings.ts';

/** The parts that all requests to one registry share. */
export interface RequestParts {
  /** The registry's base. */
  readonly base: URL;
  /** Sends each request. */
  readonly fetch: Fetch;
  /** The `User-Agent` of requests; undefined: that of `fetch`. */
  readonly userAgent: string | undefined;
  /** Finds the `Authorization` of requests; undefined: they are sent without. */
  readonly authenticator: Authenticator | undefined;
  /** The turns of requests. */
  readonly lanes: Lanes;
  /** The limits that the registry has announced. */
  readonly limits: RateLimits;
  /** The warnings of the registry. */
  readonly warnings: WarningsOnce;
  /** Notes requests for `explain`. */
  readonly trails: Trails;
  /** Notes errors whose reason may pass. */
  readonly temporary: TemporaryErrors;
}

/** Attempts to find an `Authorization` that is accepted: without any, with a token, with a token that allows more. */
const maxAuthorizations = 3;

/** A request with all its attempts. */
export class AttemptedRequest {
  readonly #parts: RequestParts;
  readonly #request: ClientRequest;
  /** The body of the latest attempt. */
  #body: SentBody | undefined;
  #isRepeatable = true;

  constructor(parts: RequestParts, request: ClientRequest) {
    this.#parts = parts;
    this.#request = request;
  }

  /** False once its body, or a part of it, was sent and cannot be opened again. */
  get isRepeatable(): boolean {
    return this.#isRepeatable;
  }

  /**
   * Waits for its turn and sends the request, again if the registry asks for another `Authorization`.
   *
   * @returns a response with one of the expected statuses, or a HEAD's 400, 401 or 403 of another place: GET may
   * succeed
   */
  async send(): Promise<ClientResponse> {
    const { lane = 'small', call } = this.#request;
    const release = await this.#parts.lanes.take(lane, call.signal);
    try {
      return await this.#authorized(release);
    } catch (error) {
      release();
      this.#askForCredentials(error);
      throw error;
    }
  }

  /** Adds to the message of a refused stranger how to log in. A server passes on the registry's own text only. */
  #askForCredentials(error: unknown): void {
    const { authenticator, base } = this.#parts;
    if (
      !(error instanceof HttpError && error.code === 'UNAUTHORIZED') ||
      authenticator?.isStranger(this.#request.scope) !== true
    )
      return;
    const hint =
      `: no credentials for ${base.host} are known. Log in with docker login and use dockerCredentials() of ` +
      'ocikit/node, or give the option credentials';
    if (!error.message.endsWith(hint)) error.message += hint;
  }

  async #authorized(release: Release): Promise<ClientResponse> {
    const { expect, method, scope, call } = this.#request;
    const { authenticator } = this.#parts;
    let authorization = await authenticator?.authorize(scope, call.signal);
    // To a stranger, some registries list what is public.
    if (authorization === undefined && scope.some(({ type }) => type === 'registry')) {
      authorization = await authenticator?.introduce(scope, call.signal);
    }
    for (let sent = 1; ; sent++) {
      const { response, own, moved } = await this.#sendWith(authorization, release);
      if (expect.includes(response.status)) return response;
      // A storage that takes a signed URL only for GET. With its own 401, the registry asks for credentials.
      if (method === 'HEAD' && moved && [400, 403, own ? 403 : 401].includes(response.status)) return response;
      const error = await this.#refusal(response, own);
      // A body that is used up cannot be sent again with an Authorization.
      if (!own || sent === maxAuthorizations || !this.#isRepeatable) throw error;
      const challenges = challengesOf(response);
      if (challenges.length === 0) {
        // To a stranger, some registries hide what is private.
        if (authorization !== undefined || ![401, 403, 404].includes(response.status)) throw error;
        authorization = await authenticator?.introduce(scope, call.signal);
        if (authorization === undefined) throw error;
        continue;
      }
      const next = await authenticator
        ?.reauthorize(challenges, scope, authorization, call.signal)
        .catch((failure: unknown) => challenged(failure, error));
      if (next === undefined) throw error;
      if (typeof next === 'object' && 'unusable' in next) throw saying(error, next.unusable, next.cause);
      // The caller is known and may not do this: another login would not help.
      if (next === 'denied') throw response.status === 401 ? renamed(error, 'DENIED') : error;
      authorization = next;
    }
  }

  async #refusal(response: FetchedResponse, own: boolean): Promise<HttpError> {
    const { method, url, missing } = this.#request;
    const { status, headers } = response;
    const body = await response.beginning(maxErrorBody);
    const error = httpError({ method, url, status, headers, body, own }, missing);
    this.#parts.temporary.learn(error);
    return error;
  }

  /** Sends the request, and follows its redirects. */
  async #sendWith(
    authorization: Authorization | undefined,
    release: Release,
  ): Promise<{ response: FetchedResponse; own: boolean; moved: boolean }> {
    const { method, call, scope } = this.#request;
    const { limits, warnings, trails } = this.#parts;
    const url = addressOf(this.#request);
    await limits.wait(call.signal);
    let headers: Headers | undefined;
    const entry = trails.request(call, method, url, scope, authorization !== undefined);
    try {
      const followed = await this.#follow(url, authorization, entry);
      entry.status = followed.response.status;
      entry.digest = followed.response.headers.get('docker-content-digest') ?? undefined;
      entry.challenge = followed.response.headers.get('www-authenticate') ?? undefined;
      if (followed.own) {
        ({ headers } = followed.response);
        warnings.learn(headers);
      }
      const { own } = followed;
      return { response: this.#received(followed, release), own, moved: !own || followed.url.href !== url.href };
    } catch (error) {
      entry.failure ??= error instanceof Error ? error.message : String(error);
      throw error;
    } finally {
      limits.answered(headers);
    }
  }

  #follow(url: URL, authorization: Authorization | undefined, entry: ExplainedRequest): Promise<Followed> {
    const { method, expect, call } = this.#request;
    const { base, fetch } = this.#parts;
    return follow({ method, url, headers: this.#headers() }, fetch, {
      base,
      authorization: authorization?.header,
      expect,
      isGiven: call.redirects === 'throw',
      send: (hop, redirect) => this.#fetchHop(hop, redirect),
      onRedirect: (status, to) => entry.redirects.push({ status, to: redactUrl(to) }),
    });
  }

  /** The headers of the request, without its `Authorization`. */
  #headers(): Readonly<Record<string, string>> {
    const { headers, body } = this.#request;
    const { userAgent } = this.#parts;
    return {
      // Bytes are compared with their digest as they are stored. Browsers ignore this header.
      'accept-encoding': 'identity',
      ...(userAgent === undefined ? {} : { 'user-agent': userAgent }),
      ...(body?.size === undefined ? {} : { 'content-length': String(body.size) }),
      ...headers,
    };
  }

  #received(followed: Followed, release: Release): FetchedResponse {
    const { method, call } = this.#request;
    return new FetchedResponse({
      ...followed,
      signal: call.signal,
      onEnd: () => {
        release();
        // Some registries answer before they have been sent everything.
        this.#body?.abandon();
      },
      onIdle: release,
      cut: (cause) => this.#parts.temporary.unavailable(method, followed.url, cause),
    });
  }

  async #fetchHop(hop: Hop, redirect: RequestRedirect): Promise<Response & RawBody> {
    const { signal } = this.#request.call;
    const { fetch, temporary } = this.#parts;
    const body = this.#openBody(hop);
    const init = { method: hop.method, headers: hop.headers, redirect, ...body?.init };
    try {
      return await fetch(hop.url.href, (signal === undefined ? init : { ...init, signal }) as RequestInit);
    } catch (error) {
      body?.abandon();
      if (signal?.aborted === true) throw signal.reason;
      throw body?.failure === undefined ? temporary.unavailable(hop.method, hop.url, error) : body.failure.error;
    }
  }

  #openBody(hop: Hop): SentBody | undefined {
    const { method, body } = this.#request;
    // A 303 leads to the outcome of the request, which is fetched with GET and without a body.
    const sends = body !== undefined && hop.method === method;
    if (sends && !this.#isRepeatable) {
      throw new RegistryError(
        'UNKNOWN',
        `${method} ${redactUrl(hop.url)}: redirected, but its body can be sent only once`,
      );
    }
    this.#body?.abandon();
    this.#body = sends ? new SentBody(body, this.#parts.fetch) : undefined;
    if (sends) this.#isRepeatable = body.reopenable;
    return this.#body;
  }
}

/** Distribution specification, "Registry Proxying": a pull names the registry that it was meant for. */
function addressOf({ method, url, call }: ClientRequest): URL {
  const namespace = call.context?.namespace;
  const pulls = isRead(method) && !url.pathname.includes('/blobs/uploads/');
  if (namespace === undefined || !pulls || url.searchParams.has('ns')) return url;
  const address = new URL(url);
  address.search += `${address.search === '' ? '' : '&'}ns=${encodeURIComponent(namespace)}`;
  return address;
}

/** Throws the error of a token server, with the registry's own challenge: it says where a caller can log in. */
function challenged(failure: unknown, { challenge }: HttpError): never {
  if (isRegistryError(failure, 'UNAUTHORIZED')) Object.assign(failure, { challenge });
  throw failure;
}

/** The challenges of a response that another Authorization can change. RFC 6750, section 3.1. */
function challengesOf({ status, headers }: ClientResponse): readonly string[] {
  const header = headers.get('www-authenticate');
  if (header === null) return [];
  return status === 401 || (status === 403 && header.includes('insufficient_scope')) ? [header] : [];
}
