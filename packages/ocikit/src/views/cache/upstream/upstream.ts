import { HttpError, isRegistryError, RedirectError, RegistryError } from '../../../model/index.ts';
import type { ErrorCode, Registry } from '../../../model/index.ts';

/** Milliseconds for which an upstream that could not be asked is taken to be down by those who can do without it. */
const downFor = 5000;
/** Seconds; a longer `Retry-After` is not believed. */
const longestBlock = 60 * 60;
/** Seconds, if a 429 does not say. */
const usualBlock = 5;

/** Codes that an upstream can only come by if what it sends is wrong, or it does not know itself. */
const notTheCallers: ReadonlySet<ErrorCode> = new Set([
  'UNKNOWN',
  'DIGEST_INVALID',
  'SIZE_INVALID',
  'CONTENT_TOO_LARGE',
  'REQUEST_TIMEOUT',
  'BAD_REQUEST',
]);

/** A registry behind the cache: what it fails with is put in the cache's own terms, and it is left alone when it says so. */
export class Upstream {
  readonly #registry: Registry;
  #blockedUntil = 0;
  #downUntil = 0;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** True if it could not be asked a moment ago: who has something else to answer with need not try. */
  get isDown(): boolean {
    return Math.max(this.#downUntil, this.#blockedUntil) > performance.now();
  }

  /**
   * Rejects with UNAVAILABLE for every trouble of the upstream's, and with TOOMANYREQUESTS, without asking, for as long as it
   * said that it wants to be asked nothing.
   */
  async ask<T>(request: (registry: Registry) => Promise<T>, signal?: AbortSignal): Promise<T> {
    this.assertMayAsk();
    try {
      const answer = await request(this.#registry);
      this.#downUntil = 0;
      return answer;
    } catch (error) {
      // A caller who leaves is no trouble of the upstream's.
      signal?.throwIfAborted();
      throw this.note(error);
    }
  }

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

  /** It has not answered for as long as somebody wanted to wait. */
  noteSlow(): void {
    this.#downUntil = performance.now() + downFor;
  }

  assertMayAsk(): void {
    const left = this.#blockedUntil - performance.now();
    if (left <= 0) return;
    throw new RegistryError('TOOMANYREQUESTS', 'the upstream registry wants no more requests for now', {
      retryAfter: Math.ceil(left / 1000),
    });
  }

  /** Learns from what it failed with, and gives what a caller is told. */
  note(error: unknown): unknown {
    const told = inTermsOfTheCache(error);
    if (isRegistryError(told, 'TOOMANYREQUESTS')) {
      const seconds = Math.min(told.retryAfter ?? usualBlock, longestBlock);
      this.#blockedUntil = Math.max(this.#blockedUntil, performance.now() + seconds * 1000);
    }
    if (isRegistryError(told, 'UNAVAILABLE')) this.#downUntil = performance.now() + downFor;
    return told;
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

/** The upstream could not be asked, or did not answer as a registry does. */
export function isOutage(error: unknown): boolean {
  return isRegistryError(error, 'UNAVAILABLE', 'TOOMANYREQUESTS');
}

/** The upstream does not have it. */
export function isUnknown(error: unknown): error is RegistryError {
  return isRegistryError(error, 'BLOB_UNKNOWN', 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN', 'NOT_FOUND');
}

/** The same to remember: without what came with it, which may be large. */
export function briefly(error: RegistryError): RegistryError {
  const said = error instanceof HttpError ? (error.errors[0]?.message ?? 'the upstream registry does not have it') : '';
  return new RegistryError(error.code, (said || error.message).slice(0, 500));
}

/** The upstream does not let the cache see whether it has it. */
export function isRefusal(error: unknown): boolean {
  return isRegistryError(error, 'UNAUTHORIZED', 'DENIED');
}

/** What an upstream sent is not what it was asked for. */
export function wrongAnswer(what: string, cause?: unknown): RegistryError {
  return new RegistryError('UNAVAILABLE', `the upstream registry sent something else: ${what}`, { cause });
}

/** For who has something to answer with in the upstream's place. */
export function notAsked(why: string): RegistryError {
  return new RegistryError('UNAVAILABLE', `the upstream registry ${why}`);
}
