// The options and events of a cache.
import type { Registry } from '../../../model/index.ts';

/**
 * The steps of a cache, for metrics and logs.
 *
 * | type | meaning |
 * |---|---|
 * | hit | answered from the store |
 * | stale | a tag was answered from the store, as its upstream could not be reached: `error` says why |
 * | shared | a kept blob of another repository was mounted, as this repository's upstream has it too |
 * | joined | a blob is served from a download that another call has begun |
 * | miss | the upstream is asked |
 * | passed | passed on from the upstream without keeping it: a part in the middle, or the store takes nothing now |
 * | kept | the content has been verified and is in the store now |
 * | failed | the upstream did not send the content, or sent other content; nothing is kept |
 * | unkept | the store did not take the content: `error` says why |
 * | corrupt | kept content was damaged, and has been removed |
 * | evicted | content was removed to make room |
 * | malformed | an upstream's list has a text that is no name, which is left out: `error` says which |
 */
export type CacheEventType =
  | 'hit'
  | 'stale'
  | 'shared'
  | 'joined'
  | 'miss'
  | 'passed'
  | 'kept'
  | 'failed'
  | 'unkept'
  | 'corrupt'
  | 'evicted'
  | 'malformed';

/** A step of a cache. */
export interface CacheEvent {
  /** The kind of step. */
  type: CacheEventType;
  /** The kind of content. */
  kind: 'blob' | 'manifest' | 'tag' | 'repository';
  /** The repository's name in the store. */
  repository: string;
  /** A digest or a tag; empty for a list. */
  reference: string;
  /** Bytes, if they are known. */
  size?: number | undefined;
  /** The cause, for a step that failed. */
  error?: unknown;
}

/** Called with each step of a cache. */
export type OnCacheEvent = (event: CacheEvent) => void;

/** How a cache keeps and answers content. */
export interface CacheOptions {
  /**
   * A second registry, which takes all pushes and deletes. It is asked first, unless the client names another registry
   * (`ns`). Its content is never evicted, and its tags are never compared with an upstream. Default: none, and pushes
   * are UNSUPPORTED.
   */
  local?: Registry | undefined;
  /** Milliseconds for which an upstream's answer for a tag holds. 0: the upstream is always asked. Default: 60,000. */
  maxAge?: number | undefined;
  /**
   * Milliseconds after the upstream's last answer for which a kept tag is still answered while the upstream cannot be
   * reached. After a restart they count from the restart. Default: 604,800,000 (7 days).
   */
  maxStale?: number | undefined;
  /** Milliseconds to wait for an upstream before a kept tag is answered. Default: 5,000. */
  patience?: number | undefined;
  /**
   * Milliseconds for which missing content is not asked for again. 0: the upstream is always asked. Default: 10,000.
   */
  negativeAge?: number | undefined;
  /**
   * Bytes that the store may hold. The store needs Maintenance for it. The least recently used content is evicted
   * first, in the background, so the store can be larger for a while. Default: no limit.
   */
  maxSize?: number | undefined;
  /** Milliseconds after its last use for which content is not evicted, even above `maxSize`. Default: 60,000. */
  evictAfter?: number | undefined;
  /** Called with each step of the cache. Its errors are ignored. Default: none. */
  onEvent?: OnCacheEvent | undefined;
}

/** {@link CacheOptions} with defaults in place. */
export interface CacheSettings {
  /** Milliseconds. */
  readonly maxAge: number;
  /** Milliseconds. */
  readonly maxStale: number;
  /** Milliseconds. */
  readonly patience: number;
  /** Milliseconds. */
  readonly negativeAge: number;
  /** Milliseconds. */
  readonly evictAfter: number;
  /** Bytes; undefined: no limit. */
  readonly maxSize: number | undefined;
  /** Tells the listener of a step. It never throws. */
  readonly tell: OnCacheEvent;
}

/** Puts the defaults in place. */
export function settingsOf(options: CacheOptions): CacheSettings {
  const { onEvent } = options;
  return {
    maxAge: options.maxAge ?? 60_000,
    maxStale: options.maxStale ?? 7 * 24 * 60 * 60 * 1000,
    patience: options.patience ?? 5000,
    negativeAge: options.negativeAge ?? 10_000,
    evictAfter: options.evictAfter ?? 60_000,
    maxSize: options.maxSize,
    tell(event) {
      try {
        onEvent?.(event);
      } catch {
        // A listener must not change the outcome of a call.
      }
    },
  };
}
