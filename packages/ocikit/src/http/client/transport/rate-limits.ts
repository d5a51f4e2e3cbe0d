import { sleep } from '../../../transfer/index.ts';
import type { BackOff } from '../../../transfer/index.ts';

/** What a registry said of how much may be asked of it. */
export interface RateLimit {
  /** Requests that are left. */
  remaining: number;
  /** Seconds until there are more, or at most so many. */
  reset: number;
}

/**
 * The limit that is nearest, from the headers of an answer: Docker Hub's `RateLimit-Remaining: 76;w=21600`, the IETF's
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

/** GitLab gives the time, others the time that is left. */
function secondsUntil(reset: number): number {
  return reset > 1_000_000_000 ? Math.max(0, reset - Date.now() / 1000) : reset;
}

/** Waits before a request that would be refused, so far as that is known and the wait is short. */
export class RateLimits {
  readonly #longestWait: number;
  #remaining = Number.POSITIVE_INFINITY;
  #resetAt = 0;
  /** Requests that were sent and not yet answered: what the next answer says is left, they may have used up. */
  #underWay = 0;

  constructor(backOff: BackOff | false | undefined) {
    this.#longestWait = backOff === false ? 0 : (backOff?.longestRetryAfter ?? 60_000);
  }

  /** Call {@link RateLimits.answered} after each. */
  async wait(signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      const left = this.#resetAt - Date.now();
      if (left <= 0) this.#remaining = Number.POSITIVE_INFINITY;
      // A limit for hours concerns only a part of all requests, as Docker Hub's: the registry may yet answer.
      if (this.#remaining > 0 || left > this.#longestWait) break;
      await sleep(left, signal);
    }
    this.#remaining--;
    this.#underWay++;
  }

  /** @param headers undefined if there was no answer */
  answered(headers: Headers | undefined): void {
    this.#underWay--;
    const limit = headers === undefined ? undefined : parseRateLimit(headers);
    if (limit === undefined) return;
    this.#remaining = limit.remaining - this.#underWay;
    this.#resetAt = Date.now() + limit.reset * 1000;
  }
}
