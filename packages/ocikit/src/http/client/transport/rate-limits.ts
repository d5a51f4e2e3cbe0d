// The limits that a registry announces, and the waits that they ask for.
import { sleep } from '../../../transfer/index.ts';
import type { RetryOptions } from '../../../transfer/index.ts';

/** A limit that a registry has announced. */
export interface RateLimit {
  /** Requests that are left. */
  remaining: number;
  /** Seconds until more requests are allowed, at most. */
  reset: number;
}

/**
 * The nearest limit in the headers of a response: Docker Hub's `RateLimit-Remaining: 76;w=21600`, the IETF's
 * `RateLimit: "default";r=50;t=30` and its drafts' `RateLimit: limit=10, remaining=4, reset=50` and
 * `RateLimit-Remaining` with `RateLimit-Reset`.
 */
export function parseRateLimit(headers: Headers): RateLimit | undefined {
  const limits: RateLimit[] = [];
  const add = (remaining: string | undefined, reset: string | undefined): void => {
    if (remaining !== undefined && reset !== undefined) {
      limits.push({ remaining: Number(remaining), reset: secondsUntil(Number(reset)) });
    }
  };
  const combined = headers.get('ratelimit') ?? '';
  for (const item of combined.split(/,(?=\s*")/)) add(/;\s*r=(\d+)/.exec(item)?.[1], /;\s*t=(\d+)/.exec(item)?.[1]);
  add(/\bremaining=(\d+)/.exec(combined)?.[1], /\breset=(\d+)/.exec(combined)?.[1]);
  const left = headers.get('ratelimit-remaining') ?? '';
  const remaining = /^\s*(\d+)/.exec(left)?.[1];
  add(remaining, /^\s*(\d+)/.exec(headers.get('ratelimit-reset') ?? '')?.[1] ?? /;\s*w=(\d+)/.exec(left)?.[1]);
  return limits.toSorted((a, b) => a.remaining - b.remaining || b.reset - a.reset)[0];
}

/** GitLab gives the time of the reset, other registries the time until then. */
function secondsUntil(reset: number): number {
  return reset > 1_000_000_000 ? Math.max(0, reset - Date.now() / 1000) : reset;
}

/** Delays a request that would be refused, if the limit is known and the wait is short. */
export class RateLimits {
  readonly #longestWait: number;
  #remaining = Number.POSITIVE_INFINITY;
  #resetAt = 0;
  /** Requests that were sent and not yet answered: they may use up what the next response says is left. */
  #underWay = 0;

  constructor(backOff: RetryOptions['backOff']) {
    const chosen = typeof backOff === 'object' ? backOff : {};
    this.#longestWait = backOff === false ? 0 : (chosen.longestRetryAfter ?? 60_000);
  }

  /** Waits until the next request may be sent. Call {@link RateLimits.answered} after each request. */
  async wait(signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      const left = this.#resetAt - Date.now();
      if (left <= 0) this.#remaining = Number.POSITIVE_INFINITY;
      // A limit for hours, as Docker Hub's, concerns only a part of all requests: the registry may still answer this
      // one.
      if (this.#remaining > 0 || left > this.#longestWait) break;
      await sleep(left, signal);
    }
    this.#remaining--;
    this.#underWay++;
  }

  /**
   * Learns from a response.
   *
   * @param headers undefined if there was none
   */
  answered(headers: Headers | undefined): void {
    this.#underWay--;
    const limit = headers === undefined ? undefined : parseRateLimit(headers);
    if (limit === undefined) return;
    this.#remaining = limit.remaining - this.#underWay;
    this.#resetAt = Date.now() + limit.reset * 1000;
  }
}
