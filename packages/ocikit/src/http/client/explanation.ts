import type { CallOptions } from '../../model/index.ts';

import type { Scope, TokenRequestInfo } from './auth/index.ts';
import { redactUrl } from './errors.ts';

/** One request that was made, and what came of it. Without secrets. */
export interface ExplainedRequest {
  method: string;
  url: string;
  /** When it was sent, in milliseconds since the call's first request. */
  at: number;
  /** Undefined if there was no answer. */
  status?: number | undefined;
  /** What there was instead of an answer. */
  failure?: string | undefined;
  /** Whether it was sent with `Authorization`. */
  authorized: boolean;
  /** Where it was sent on to. */
  redirects: { status: number; to: string }[];
  /** The `WWW-Authenticate` of the answer. */
  challenge?: string | undefined;
  /** The `Docker-Content-Digest` of the answer. */
  digest?: string | undefined;
  /** Milliseconds that were waited before the next attempt. */
  retriedAfter?: number | undefined;
}

/** A token request, and how long after the call's first request it was made, in milliseconds. */
export interface ExplainedTokenRequest extends TokenRequestInfo {
  at: number;
}

/** How an error came about. `String()` makes lines of it. */
export interface Explanation {
  /** What the call needed: `repository:library/alpine:pull`. */
  scope: readonly string[];
  requests: readonly ExplainedRequest[];
  /** Those that were made during the call, also if another call needed them. */
  tokenRequests: readonly ExplainedTokenRequest[];
  toString(): string;
}

/** Requests of one call that are remembered: the last ones. */
const maxRequests = 50;

/** What one call has done so far. */
export class Trail {
  readonly #began = Date.now();
  readonly #tokens: TokenRequests;
  readonly #scope = new Set<string>();
  readonly #requests: ExplainedRequest[] = [];

  constructor(tokens: TokenRequests) {
    this.#tokens = tokens;
  }

  begin(method: string, url: URL, scope: Scope, authorized: boolean): ExplainedRequest {
    for (const { type, resource, action } of scope) this.#scope.add(`${type}:${resource}:${action}`);
    const at = Date.now() - this.#began;
    const request: ExplainedRequest = { method, url: redactUrl(url), at, authorized, redirects: [] };
    this.#requests.push(request);
    if (this.#requests.length > maxRequests) this.#requests.shift();
    return request;
  }

  /** The last request failed, and another follows. */
  retried(delay: number): void {
    const last = this.#requests.at(-1);
    if (last !== undefined) last.retriedAfter = delay;
  }

  explanation(): Explanation {
    const scope = [...this.#scope];
    const requests = this.#requests.map((request) => ({ ...request, redirects: [...request.redirects] }));
    const tokenRequests = this.#tokens.since(this.#began);
    return { scope, requests, tokenRequests, toString: () => linesOf(scope, requests, tokenRequests).join('\n') };
  }
}

/** The latest requests to token servers; several calls may have waited for one. */
export class TokenRequests {
  readonly #latest: { info: TokenRequestInfo; time: number }[] = [];

  add(info: TokenRequestInfo): void {
    this.#latest.push({ info, time: Date.now() });
    if (this.#latest.length > maxRequests) this.#latest.shift();
  }

  since(time: number): ExplainedTokenRequest[] {
    return this.#latest
      .filter((each) => each.time >= time)
      .map(({ info, time: at }) => Object.assign({ at: at - time }, info));
  }
}

const explanations = new WeakMap<object, Explanation>();

/**
 * How an error of a client came about: the requests that were made for the failed call, where they were sent on to, what
 * the registry asked for, which tokens were asked for, what was tried again. It holds no secrets.
 *
 * @returns undefined for what is no error of a client's
 * @example
 * try {
 *   await client.getTag('library/alpine', '3');
 * } catch (error) {
 *   console.error(String(explain(error)));
 *   throw error;
 * }
 */
export function explain(error: unknown): Explanation | undefined {
  for (let at = error, depth = 0; typeof at === 'object' && at !== null && depth < 8; depth++) {
    const found = explanations.get(at);
    if (found !== undefined) return found;
    at = 'cause' in at ? at.cause : undefined;
  }
  return undefined;
}

/** Where options that were given to a call carry its trail, so that options which are made of them do, too. */
const trailOf: unique symbol = Symbol('trail');

/** The trails of calls, each known by its options. */
export class Trails {
  readonly tokens: TokenRequests = new TokenRequests();
  readonly #trails = new WeakMap<CallOptions, Trail>();

  /** The options of a new call, even if they were used for another one before. */
  begin<T extends CallOptions>(options: T | undefined): T {
    return { ...(options as T), [trailOf]: new Trail(this.tokens) };
  }

  of(call: CallOptions & { [trailOf]?: Trail }): Trail {
    if (call[trailOf] !== undefined) return call[trailOf];
    let trail = this.#trails.get(call);
    if (trail === undefined) {
      trail = new Trail(this.tokens);
      this.#trails.set(call, trail);
    }
    return trail;
  }

  /** From now on {@link explain} knows the error. */
  note(error: unknown, call: CallOptions): void {
    if (typeof error === 'object' && error !== null) explanations.set(error, this.of(call).explanation());
  }
}

function linesOf(
  scope: readonly string[],
  requests: readonly ExplainedRequest[],
  tokenRequests: readonly ExplainedTokenRequest[],
): string[] {
  const lines = [
    ...requests.map((request) => ({ at: request.at, lines: linesOfRequest(request) })),
    ...tokenRequests.map((request) => ({ at: request.at, lines: linesOfTokenRequest(request) })),
  ]
    .toSorted((a, b) => a.at - b.at)
    .flatMap((each) => each.lines);
  return scope.length === 0 ? lines : [`needed: ${scope.join(' ')}`, ...lines];
}

function linesOfRequest(request: ExplainedRequest): string[] {
  const { method, url, at, authorized, redirects, status, failure, challenge, digest, retriedAfter } = request;
  return [
    `${at} ms: ${method} ${url} ${authorized ? 'with' : 'without'} credentials: ${status ?? failure ?? 'no answer'}`,
    ...redirects.map((redirect) => `  sent on (${redirect.status}) to ${redirect.to}`),
    ...(challenge === undefined ? [] : [`  asked for ${challenge}`]),
    ...(digest === undefined ? [] : [`  digest ${digest}`]),
    ...(retriedAfter === undefined ? [] : [`  tried again after ${retriedAfter} ms`]),
  ];
}

function linesOfTokenRequest({ method, url, at, status, scope, error }: ExplainedTokenRequest): string[] {
  const failure = error instanceof Error ? error.message : 'no answer';
  return [
    `${at} ms: token: ${method} ${url}: ${status ?? failure}`,
    `  asked for the scope ${scope.join(' ') || 'of nothing'}`,
  ];
}
