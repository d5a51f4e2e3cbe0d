// How an error of the client came about: the requests of its call.
import type { CallOptions } from '../../../model/index.ts';

import type { Scope } from '../../wire/index.ts';

import type { TokenRequestInfo } from '../auth/index.ts';
import { redactUrl } from '../shared/index.ts';

/** One request of a call and its outcome, without secrets. */
export interface ExplainedRequest {
  /** The method. */
  method: string;
  /** The URL, without secrets. */
  url: string;
  /** When it was sent, in milliseconds since the call's first request. */
  at: number;
  /** The status of the answer; undefined if there was none. */
  status?: number | undefined;
  /** Why there was no answer. */
  failure?: string | undefined;
  /** Whether it was sent with `Authorization`. */
  authorized: boolean;
  /** The redirects that were followed. */
  redirects: { status: number; to: string }[];
  /** The `WWW-Authenticate` of the answer. */
  challenge?: string | undefined;
  /** The `Docker-Content-Digest` of the answer. */
  digest?: string | undefined;
  /** Milliseconds between this attempt and the next one. */
  retriedAfter?: number | undefined;
}

/** One request to a token server and its outcome, without secrets. */
export interface ExplainedTokenRequest extends TokenRequestInfo {
  /** When it was sent, in milliseconds since the call's first request. */
  at: number;
}

/** How an error came about. `String()` makes lines of it. */
export interface Explanation {
  /** The permissions that the call needed: `repository:library/alpine:pull`. */
  scope: readonly string[];
  /** The requests to the registry, in the order in which they were sent: the last 50. */
  requests: readonly ExplainedRequest[];
  /** The token requests during the call, also if another call needed them. */
  tokenRequests: readonly ExplainedTokenRequest[];
  /** All of it as text, one line for each request and its details. */
  toString(): string;
}

/** The number of requests that are remembered: the last ones of a call. */
const maxRequests = 50;

/** The requests of one call so far. */
interface Trail {
  /** In milliseconds since 1970. */
  readonly began: number;
  readonly scope: Set<string>;
  readonly requests: ExplainedRequest[];
}

const explanations = new WeakMap<object, Explanation>();

/**
 * How an error of a client came about: the requests of the failed call, their redirects, the registry's challenges,
 * the token requests, and the attempts. It holds no secrets.
 *
 * @returns undefined if the error is not one of a client
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

/** The key under which a call's options carry its trail. Options that are copied from them carry it, too. */
const trailOf: unique symbol = Symbol('trail');

/** The trails of calls, each found by the call's options. */
export interface Trails {
  /** Makes the options of a new call, also from options that another call has used. */
  readonly begin: <T extends CallOptions>(options: T | undefined) => T;
  /** Notes a request of the call. Its outcome is added to the returned entry. */
  request(call: CallOptions, method: string, url: URL, scope: Scope, authorized: boolean): ExplainedRequest;
  /** Notes that the last request of the call failed, and another one follows. */
  retried(call: CallOptions, delay: number): void;
  /** Notes a token request. */
  readonly tokenRequest: (info: TokenRequestInfo) => void;
  /** Lets {@link explain} know an error of the call. */
  readonly note: (error: unknown, call: CallOptions) => void;
}

/** Makes the trails of one registry's calls. */
export function createTrails(): Trails {
  const trails = new WeakMap<CallOptions, Trail>();
  /** The latest token requests; several calls may have waited for the same one. */
  const tokenRequests: ExplainedTokenRequest[] = [];

  const trailFrom = (): Trail => ({ began: Date.now(), scope: new Set(), requests: [] });
  const of = (call: CallOptions & { [trailOf]?: Trail }): Trail => {
    const trail = call[trailOf] ?? trails.get(call) ?? trailFrom();
    trails.set(call, trail);
    return trail;
  };

  return {
    begin: <T extends CallOptions>(options: T | undefined) => ({ ...(options as T), [trailOf]: trailFrom() }),
    request(call, method, url, needed, authorized) {
      const { began, scope, requests } = of(call);
      for (const { type, resource, action } of needed) scope.add(`${type}:${resource}:${action}`);
      return keepLatest(requests, { method, url: redactUrl(url), at: Date.now() - began, authorized, redirects: [] });
    },
    retried(call, delay) {
      const last = of(call).requests.at(-1);
      if (last !== undefined) last.retriedAfter = delay;
    },
    tokenRequest: (info) => void keepLatest(tokenRequests, { ...info, at: Date.now() }),
    note(error, call) {
      if (typeof error !== 'object' || error === null) return;
      const { began, scope, requests } = of(call);
      const during = tokenRequests
        .filter(({ at }) => at >= began)
        .map((each) => Object.assign({}, each, { at: each.at - began }));
      explanations.set(error, explanationOf([...scope], structuredClone(requests), during));
    },
  };
}

function keepLatest<T>(latest: T[], added: T): T {
  latest.push(added);
  if (latest.length > maxRequests) latest.shift();
  return added;
}

function explanationOf(
  scope: readonly string[],
  requests: readonly ExplainedRequest[],
  tokenRequests: readonly ExplainedTokenRequest[],
): Explanation {
  const toString = (): string => {
    const all = [...requests.map(textOfRequest), ...tokenRequests.map(textOfTokenRequest)]
      .toSorted((a, b) => a.at - b.at)
      .map(({ at, text }) => `${at} ms: ${text}`);
    return [...(scope.length === 0 ? [] : [`needed: ${scope.join(' ')}`]), ...all].join('\n');
  };
  return { scope, requests, tokenRequests, toString };
}

function textOfRequest(request: ExplainedRequest): { at: number; text: string } {
  const { method, url, at, authorized, redirects, status, failure, challenge, digest, retriedAfter } = request;
  const lines = [
    `${method} ${url} ${authorized ? 'with' : 'without'} credentials: ${status ?? failure ?? 'no answer'}`,
    ...redirects.map((redirect) => `sent on (${redirect.status}) to ${redirect.to}`),
  ];
  if (challenge !== undefined) lines.push(`asked for ${challenge}`);
  if (digest !== undefined) lines.push(`digest ${digest}`);
  if (retriedAfter !== undefined) lines.push(`tried again after ${retriedAfter} ms`);
  return { at, text: lines.join('\n  ') };
}

function textOfTokenRequest({ method, url, at, status, scope, granted, error }: ExplainedTokenRequest): {
  at: number;
  text: string;
} {
  const outcome = status ?? (error instanceof Error ? error.message : 'no answer');
  const lines = [`token: ${method} ${url}: ${outcome}`, `asked for the scope ${scope.join(' ') || 'of nothing'}`];
  if (granted !== undefined) lines.push(`was granted the scope ${granted.join(' ') || 'of nothing'}`);
  return { at, text: lines.join('\n  ') };
}
