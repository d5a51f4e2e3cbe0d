import { deadline } from '../../model/index.ts';
import type { CallOptions } from '../../model/index.ts';

import type { BackOff, ClientOptions } from './options.ts';

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

/** Told before each wait. `attempt` is the number of the one that failed. */
export type OnWait = (error: unknown, delay: number, attempt: number) => void;

export interface RepeatOptions {
  /** Whether there is any use in another attempt after this. */
  isTemporary: (error: unknown) => boolean;
  onWait: OnWait;
}

/** One policy for all that is tried again. */
export class Retries {
  readonly #backOff: Readonly<Record<keyof BackOff, number>>;
  readonly #onRetry: ClientOptions['onRetry'];
  /** What has been tried again as often as it may, or must not wait any longer. */
  readonly #final = new WeakSet();

  constructor({ backOff = {}, onRetry }: Pick<ClientOptions, 'backOff' | 'onRetry'>) {
    const chosen: BackOff = backOff === false ? { attempts: 1 } : backOff;
    this.#backOff = {
      attempts: chosen.attempts ?? 6,
      first: chosen.first ?? 200,
      longest: chosen.longest ?? 10_000,
      longestRetryAfter: chosen.longestRetryAfter ?? 60_000,
    };
    this.#onRetry = onRetry;
  }

  /** @param run is given the number of its attempt, and what to call when it has moved on: attempts count anew then */
  async repeat<T>(
    { signal }: CallOptions,
    { isTemporary, onWait }: RepeatOptions,
    run: (attempt: number, progress: () => void) => Promise<T>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted();
      try {
        return await run(attempt, () => {
          attempt = 1;
        });
      } catch (error) {
        if (signal?.aborted === true) throw signal.reason;
        if (!isObject(error) || this.#final.has(error) || !isTemporary(error)) throw error;
        const delay = this.#delayAfter(error, attempt, signal);
        if (delay === undefined) {
          this.#final.add(error);
          throw error;
        }
        onWait(error, delay, attempt);
        this.#onRetry?.(error, delay);
        await sleep(delay, signal);
      }
    }
  }

  /** Undefined: no more. */
  #delayAfter(
    error: object,
    attempt: number,
    signal: (AbortSignal & { [deadline]?: number }) | undefined,
  ): number | undefined {
    const { attempts, first, longest, longestRetryAfter } = this.#backOff;
    if (attempt >= attempts) return undefined;
    // Clients that were refused together should not come back together.
    const own = Math.min(first * 2 ** (attempt - 1), longest) * (0.8 + 0.4 * Math.random());
    const asked = 'retryAfter' in error && typeof error.retryAfter === 'number' ? error.retryAfter * 1000 : 0;
    const delay = Math.ceil(Math.max(own, asked));
    if (asked > longestRetryAfter) return undefined;
    const end = signal?.[deadline];
    return end !== undefined && Date.now() + delay >= end ? undefined : delay;
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** Rejects with what the signal is aborted with. */
export async function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  // Who is told of a wait may have ended the call.
  signal?.throwIfAborted();
  await new Promise<void>((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener('abort', end, { once: true });
  });
  signal?.throwIfAborted();
}
