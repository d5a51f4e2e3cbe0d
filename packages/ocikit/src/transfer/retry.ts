// Trying again what failed for a reason that may pass: how often, when, and when to stop.
import { deadline } from '../model/index.ts';

import { abortable } from './abortable.ts';

/** How long to wait before attempt 2, 3, …, and when to stop. */
export interface BackOff {
  /** The number of attempts at most, the first one included; 1: a failed request is not sent again. Default: 6. */
  attempts?: number | undefined;
  /** Milliseconds before the second attempt; each further wait is twice as long. Default: 200. */
  first?: number | undefined;
  /** Milliseconds; the longest wait that the client itself chooses. Default: 10,000. */
  longest?: number | undefined;
  /** Milliseconds; if a server asks for a longer wait (`Retry-After`), the call fails at once. Default: 60,000. */
  longestRetryAfter?: number | undefined;
}

/** A failed attempt, as a {@link BackOffPolicy} is told of it. */
export interface FailedAttempt {
  /** The error of the attempt. */
  readonly error: unknown;
  /** The number of the attempt, from 1. Work that moves forward counts from 1 again. */
  readonly attempt: number;
  /** Milliseconds since the first attempt began. */
  readonly elapsed: number;
  /** Milliseconds that the server asked to wait (`Retry-After`); undefined if it did not. */
  readonly retryAfter: number | undefined;
}

/**
 * A policy of your own: how long to wait after a failed attempt. It is asked only about failures whose reason may pass.
 *
 * @returns milliseconds before the next attempt, 0 or more; undefined: no further attempt
 *
 * @example
 * const policy: BackOffPolicy = ({ elapsed, retryAfter = 1000 }) => (elapsed < 30_000 ? retryAfter : undefined);
 */
export type BackOffPolicy = (failed: FailedAttempt) => number | undefined;

/** How failed work is tried again. */
export interface RetryOptions {
  /**
   * When to try again: numbers, or a function that decides after each failure. `false`: never. Default: the defaults of
   * {@link BackOff}.
   */
  backOff?: BackOff | BackOffPolicy | false | undefined;
  /** Called before each wait, with the error and the length of the wait in milliseconds. Default: no call. */
  onRetry?: ((error: unknown, delay: number) => void) | undefined;
}

/**
 * One attempt. It is given its number, from 1. It calls `progress` when the work has moved forward: attempts are then
 * counted from 1 again.
 */
export type Attempt<T> = (attempt: number, progress: () => void) => Promise<T>;

/** The rules that one kind of work adds to the policy. */
export interface RetryRules {
  /** Whether another attempt after this error can succeed. */
  isTemporary: (error: unknown) => boolean;
  /** Called before each wait, in milliseconds. `attempt` is the number of the one that failed. */
  onWait: (error: unknown, delay: number, attempt: number) => void;
}

/**
 * Runs attempts until one succeeds, or one fails for good. Rejects with the last error, or with the signal's reason.
 */
export type Retry = <T>(
  call: { readonly signal?: AbortSignal | undefined },
  rules: RetryRules,
  attempt: Attempt<T>,
) => Promise<T>;

/**
 * One policy for all work that is tried again. An error that has used up its attempts is final: work around it that
 * runs under the same policy does not try it again.
 *
 * @throws TypeError if an option has the wrong kind
 */
export function createRetry({ backOff = {}, onRetry }: RetryOptions): Retry {
  assertBackOff(backOff);
  if (onRetry !== undefined && typeof onRetry !== 'function') throw new TypeError('onRetry is not a function');
  const numbers: BackOff = typeof backOff === 'object' ? backOff : { attempts: 1 };
  const { attempts = 6, first = 200, longest = 10_000, longestRetryAfter = 60_000 } = numbers;
  /** Errors that have used up their attempts, or whose next wait would be too long. */
  const final = new WeakSet();

  /** @returns milliseconds; undefined if there is no further attempt */
  const delayAfter = (error: object, attempt: number, began: number): number | undefined => {
    const retryAfter =
      'retryAfter' in error && typeof error.retryAfter === 'number' ? error.retryAfter * 1000 : undefined;
    if (typeof backOff === 'function') {
      const delay: unknown = backOff({ error, attempt, elapsed: Date.now() - began, retryAfter });
      if (delay === undefined || isAtLeast(delay, 0)) return delay;
      throw new TypeError('backOff has to return milliseconds, or undefined', { cause: error });
    }
    // The random part keeps clients that were refused together from coming back together.
    const own = Math.min(first * 2 ** (attempt - 1), longest) * (0.8 + 0.4 * Math.random());
    const asked = retryAfter ?? 0;
    return attempt >= attempts || asked > longestRetryAfter ? undefined : Math.ceil(Math.max(own, asked));
  };

  return async ({ signal }, { isTemporary, onWait }, run) => {
    const began = Date.now();
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted();
      try {
        return await run(attempt, () => {
          attempt = 1;
        });
      } catch (error) {
        if (signal?.aborted === true) throw signal.reason;
        if (!isTemporary(error) || typeof error !== 'object' || error === null || final.has(error)) throw error;
        const delay = delayAfter(error, attempt, began);
        const { [deadline]: end = Infinity } = (signal ?? {}) as { [deadline]?: number };
        if (delay === undefined || Date.now() + delay >= end) {
          final.add(error);
          throw error;
        }
        onWait(error, delay, attempt);
        onRetry?.(error, delay);
        await sleep(delay, signal);
      }
    }
  };
}

/** @throws TypeError if it is neither numbers, a function, nor false */
function assertBackOff(backOff: unknown): void {
  if (backOff === false || typeof backOff === 'function') return;
  const fields = typeof backOff === 'object' && !Array.isArray(backOff) ? backOff : null;
  const least = { attempts: 1, first: 0, longest: 0, longestRetryAfter: 0 };
  const wrong = Object.entries(least).find(([name, number]) => {
    const value: unknown = fields === null ? null : Reflect.get(fields, name);
    return value !== undefined && !isAtLeast(value, number);
  });
  if (wrong === undefined) return;
  const [name, number] = wrong;
  throw new TypeError(
    fields === null
      ? 'backOff has to be numbers such as { attempts: 3 }, a function that returns milliseconds, or false'
      : `backOff.${name} has to be a number of at least ${number}`,
  );
}

function isAtLeast(value: unknown, least: number): value is number {
  return typeof value === 'number' && value >= least;
}

/**
 * Like `AbortSignal.timeout`, but the client knows when the time ends. It does not start a wait that would end too
 * late: the call then fails at once, with the error that it would have tried again after.
 *
 * @param milliseconds from now
 * @example
 * await client.getTag('library/alpine', '3', { signal: signalAfter(10_000) });
 */
export function signalAfter(milliseconds: number): AbortSignal {
  return Object.assign(AbortSignal.timeout(milliseconds), { [deadline]: Date.now() + milliseconds });
}

/** The longest wait of a timer, in milliseconds: 24 days. A longer one would end at once. */
const longestTimer = 2 ** 31 - 1;

/** Waits. Rejects with the signal's reason if the signal is aborted first. */
export async function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.min(milliseconds, longestTimer));
  });
  await abortable(over, signal).finally(() => clearTimeout(timer));
}
