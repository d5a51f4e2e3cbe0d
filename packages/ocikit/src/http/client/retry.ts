import { deadline } from '../../model/index.ts';
import type { CallOptions } from '../../model/index.ts';

import type { BackOff, ClientOptions } from './options.ts';
import { orAborted } from './or-aborted.ts';

/**
 * Like `AbortSignal.timeout`, but a client knows when the time is over, and does not begin to wait for what would come
 * too late: the call fails at once, with the error that it would have tried again after.
 *
 * @example
 * await client.getTag('library/alpine', '3', { signal: signalAfter(10_000) });
 */
export function signalAfter(milliseconds: number): AbortSignal {
  return Object.assign(AbortSignal.timeout(milliseconds), { [deadline]: Date.now() + milliseconds });
}

/** RFC 9110 and RFC 6585: those that speak of a moment, and a proxy's 499. All others of 400 to 499 stay as they are. */
const temporaryStatuses = new Set([408, 425, 429, 499]);
const permanentStatuses = new Set([501, 505, 511]);

/** Whether a request that was answered with this may be answered otherwise if it is sent again. */
export function isTemporaryStatus(status: number): boolean {
  return temporaryStatuses.has(status) || (status >= 500 && !permanentStatuses.has(status));
}

/** What no second attempt makes better: a certificate, a protocol or a name that is wrong. */
const permanentFault = /CERT|SIGNATURE|SELF_SIGNED|ERR_TLS|ERR_SSL|EPROTO|ENOTFOUND|ERR_INVALID/;

/** Whether a connection that failed like this may be made if it is tried again. */
export function isTemporaryFault(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    if ('code' in at && typeof at.code === 'string' && permanentFault.test(at.code)) return false;
  }
  return true;
}

/** Is given the number of its attempt, from 1; calling `progress` says that it has moved on, and its attempts count anew. */
export type Attempt<T> = (attempt: number, progress: () => void) => Promise<T>;

export interface RepeatOptions {
  /** Whether there is any use in another attempt after this. */
  isTemporary: (error: unknown) => boolean;
  /** Told before each wait. `attempt` is the number of the one that failed. */
  onWait: (error: unknown, delay: number, attempt: number) => void;
}

/** Runs something until it gives something, or fails for good. */
export type Repeat = <T>(call: CallOptions, options: RepeatOptions, run: Attempt<T>) => Promise<T>;

/** One policy for all that is tried again. */
export function repeating({ backOff = {}, onRetry }: Pick<ClientOptions, 'backOff' | 'onRetry'>): Repeat {
  const chosen: BackOff = backOff === false ? { attempts: 1 } : backOff;
  const { attempts = 6, first = 200, longest = 10_000, longestRetryAfter = 60_000 } = chosen;
  /** What has been tried again as often as it may, or must not wait any longer. */
  const final = new WeakSet();

  /** Undefined: no more. */
  const delayAfter = (error: object, attempt: number, end: number = Infinity): number | undefined => {
    // Clients that were refused together should not come back together.
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

/** Rejects with what the signal is aborted with. */
export async function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await orAborted(over, signal).finally(() => clearTimeout(timer));
}
