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

/** How failed work is tried again. */
export interface RetryOptions {
  /** When to try again. `false`: never. Default: the defaults of {@link BackOff}. */
  backOff?: BackOff | false | undefined;
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
 */
export function createRetry({ backOff = {}, onRetry }: RetryOptions): Retry {
  const chosen: BackOff = backOff === false ? { attempts: 1 } : backOff;
  const { attempts = 6, first = 200, longest = 10_000, longestRetryAfter = 60_000 } = chosen;
  /** Errors that have used up their attempts, or whose next wait would be too long. */
  const final = new WeakSet();

  /** @returns milliseconds; undefined if there is no further attempt */
  const delayAfter = (error: object, attempt: number, end: number = Infinity): number | undefined => {
    // The random part keeps clients that were refused together from coming back together.
    const own = Math.min(first * 2 ** (attempt - 1), longest) * (0.8 + 0.4 * Math.random());
    const asked = 'retryAfter' in error && typeof error.retryAfter === 'number' ? error.retryAfter * 1000 : 0;
    const delay = Math.ceil(Math.max(own, asked));
    return attempt >= attempts || asked > longestRetryAfter || Date.now() + delay >= end ? undefined : delay;
  };

  return async ({ signal }, { isTemporary, onWait }, run) => {
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted();
      try {
        return await run(attempt, () => {
          attempt = 1;
        });
      } catch (error) {
        if (signal?.aborted === true) throw signal.reason;
        if (!isTemporary(error) || typeof error !== 'object' || error === null || final.has(error)) throw error;
        const delay = delayAfter(error, attempt, (signal as { [deadline]?: number } | undefined)?.[deadline]);
        if (delay === undefined) {
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

/** Waits. Rejects with the signal's reason if the signal is aborted first. */
export async function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await abortable(over, signal).finally(() => clearTimeout(timer));
}
