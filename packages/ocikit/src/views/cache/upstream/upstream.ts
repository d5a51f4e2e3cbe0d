// A registry behind a cache: reports its failures in the terms of the cache, and makes no requests while it is limited.
import { HttpError, isRegistryError, RedirectError, RegistryError } from '../../../model/index.ts';
import type { ErrorCode, Registry } from '../../../model/index.ts';

/** Milliseconds after a failure for which the upstream counts as down, if a kept answer can be given instead. */
const downFor = 5000;
/** Seconds. A longer `Retry-After` counts as this. */
const longestBlock = 60 * 60;
/** Seconds, for a 429 without a `Retry-After`. */
const usualBlock = 5;

/** Codes of the upstream's own faults: it sent wrong content, or an unclear error. */
const notTheCallers: ReadonlySet<ErrorCode> = new Set([
  'UNKNOWN',
  'DIGEST_INVALID',
  'SIZE_INVALID',
  'CONTENT_TOO_LARGE',
  'REQUEST_TIMEOUT',
  'BAD_REQUEST',
]);

/**
 * A registry behind the cache. Its errors are put in the cache's own terms. It gets no requests while it limits them.
 */
export class Upstream {
  readonly #registry: Registry;
  #blockedUntil = 0;
  #downUntil = 0;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** Whether it failed a moment ago. A caller with a kept answer does not try it then. */
  get isDown(): boolean {
    return Math.max(this.#downUntil, this.#blockedUntil) > performance.now();
  }

  /**
   * Makes a request. Rejects with UNAVAILABLE if the upstream fails, and with TOOMANYREQUESTS, without a request, as
   * long as the upstream limits requests.
   */
  async ask<T>(request: (registry: Registry) => Promise<T>, signal?: AbortSignal): Promise<T> {
    this.assertMayAsk();
    try {
      const answer = await request(this.#registry);
      this.#downUntil = 0;
      return answer;
    } catch (error) {
      // The caller has ended its call: that is no failure of the upstream.
      signal?.throwIfAborted();
      throw this.note(error);
    }
  }

  /** As {@link Upstream.ask}, for a list. */
  async *list<T>(
    request: (registry: Registry) => AsyncIterable<T>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<T, void, undefined> {
    this.assertMayAsk();
    try {
      yield* request(this.#registry);
    } catch (error) {
      signal?.throwIfAborted();
      throw this.note(error);
    }
  }

  /** Notes that it took longer to answer than a caller waited. */
  noteSlow(): void {
    this.#downUntil = performance.now() + downFor;
  }

  /** @throws RegistryError TOOMANYREQUESTS while it limits requests */
  assertMayAsk(): void {
    const left = this.#blockedUntil - performance.now();
    if (left <= 0) return;
    throw new RegistryError('TOOMANYREQUESTS', 'the upstream registry limits requests: try again later', {
      retryAfter: Math.ceil(left / 1000),
    });
  }

  /** Notes a failure, and gives the error for the caller. */
  note(error: unknown): unknown {
    const reworded = inTermsOfTheCache(error);
    if (isRegistryError(reworded, 'TOOMANYREQUESTS')) {
      const seconds = Math.min(reworded.retryAfter ?? usualBlock, longestBlock);
      this.#blockedUntil = Math.max(this.#blockedUntil, performance.now() + seconds * 1000);
    }
    if (isRegistryError(reworded, 'UNAVAILABLE')) this.#downUntil = performance.now() + downFor;
    return reworded;
  }
}

function inTermsOfTheCache(error: unknown): unknown {
  if (error instanceof RedirectError) return error;
  const isTheCallers = isRegistryError(error) && error.status < 500 && !notTheCallers.has(error.code);
  if (isTheCallers || isRegistryError(error, 'UNAVAILABLE')) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new RegistryError('UNAVAILABLE', `the upstream registry failed: ${reason}`, {
    cause: error,
    retryAfter: isRegistryError(error) ? error.retryAfter : undefined,
  });
}

/** Whether the upstream could not be reached, or did not answer as a registry does. */
export function isOutage(error: unknown): boolean {
  return isRegistryError(error, 'UNAVAILABLE', 'TOOMANYREQUESTS');
}

/** Whether the upstream does not have the content. */
export function isUnknown(error: unknown): error is RegistryError {
  return isRegistryError(error, 'BLOB_UNKNOWN', 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN', 'NOT_FOUND');
}

/** The same error to remember, without its details, which may be large. */
export function briefly(error: RegistryError): RegistryError {
  const said = error instanceof HttpError ? (error.errors[0]?.message ?? 'the upstream registry does not have it') : '';
  return new RegistryError(error.code, (said || error.message).slice(0, 500));
}

/** Whether the upstream hides from the cache if it has the content. */
export function isRefusal(error: unknown): boolean {
  return isRegistryError(error, 'UNAUTHORIZED', 'DENIED');
}

/** The upstream sent other content than the cache asked for. */
export function wrongAnswer(what: string, cause?: unknown): RegistryError {
  return new RegistryError('UNAVAILABLE', `the upstream registry sent other content than was asked for: ${what}`, {
    cause,
  });
}

/** The upstream was not asked, as a kept answer can be given instead. */
export function notAsked(why: string): RegistryError {
  return new RegistryError('UNAVAILABLE', `the upstream registry ${why}`);
}
