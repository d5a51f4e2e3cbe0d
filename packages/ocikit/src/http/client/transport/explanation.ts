import type { CallOptions } from '../../../model/index.ts';

import type { Scope } from '../../wire/index.ts';

import type { TokenRequestInfo } from '../auth/index.ts';
import { redactUrl } from '../shared/index.ts';

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
interface Trail {
  /** In milliseconds since 1970. */
  readonly began: number;
  readonly scope: Set<string>;
  readonly requests: ExplainedRequest[];
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
export interface Trails {
  /** The options of a new call, even if they were used for another one before. */
  readonly begin: <T extends CallOptions>(options: T | undefined) => T;
  /** A request of the call. What becomes of it is added to what this gives. */
  request(call: CallOptions, method: string, url: URL, scope: Scope, authorized: boolean): ExplainedRequest;
  /** The last request of the call failed, and another follows. */
  retried(call: CallOptions, delay: number): void;
  readonly tokenRequest: (info: TokenRequestInfo) => void;
  /** From now on {@link explain} knows the error. */
  readonly note: (error: unknown, call: CallOptions) => void;
}

export function createTrails(): Trails {
  const trails = new WeakMap<CallOptions, Trail>();
  /** The latest ones; several calls may have waited for one. */
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
      return remember(requests, { method, url: redactUrl(url), at: Date.now() - began, authorized, redirects: [] });
    },
    retried(call, delay) {
      const last = of(call).requests.at(-1);
      if (last !== undefined) last.retriedAfter = delay;
    },
    tokenRequest: (info) => void remember(tokenRequests, { ...info, at: Date.now() }),
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

function remember<T>(latest: T[], added: T): T {
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
