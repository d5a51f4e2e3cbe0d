import type { Registry } from '../../../model/index.ts';

/**
 * What a cache did. Metrics and logs read this.
 *
 * | type | meaning |
 * |---|---|
 * | hit | answered from what is kept |
 * | stale | a tag was answered from what is kept, as its upstream could not be asked: `error` says why |
 * | shared | a blob of another repository that is kept is this one's as well, as its upstream says |
 * | joined | a blob is served from a download that somebody else has begun |
 * | miss | the upstream is asked for it |
 * | passed | it comes from the upstream and is not kept: a part in the middle, or the store takes nothing at the moment |
 * | kept | it has been verified and is kept now |
 * | failed | the upstream did not give it, or gave something else; nothing of it is kept |
 * | unkept | the store did not take it: `error` says why |
 * | corrupt | what was kept is damaged, and has been removed |
 * | evicted | it was removed to make room |
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
  | 'evicted';

export interface CacheEvent {
  type: CacheEventType;
  kind: 'blob' | 'manifest' | 'tag';
  /** The name under which the store has it. */
  repository: string;
  /** A digest or a tag. */
  reference: string;
  /** Bytes, if they are known. */
  size?: number | undefined;
  error?: unknown;
}

export type OnCacheEvent = (event: CacheEvent) => void;

export interface CacheOptions {
  /**
   * A second registry, which takes all pushes and deletes, and is asked first by everybody who does not name another
   * registry (`ns`). What it has is never evicted, and its tags are never compared with an upstream. Without it, pushes
   * are UNSUPPORTED.
   */
  local?: Registry | undefined;
  /** Milliseconds for which a tag is taken to be where the upstream said that it is. 0: it is always asked. Default: 60,000. */
  maxAge?: number | undefined;
  /**
   * Milliseconds after the last confirmation for which a tag is still answered while the upstream cannot be asked; after a
   * restart they count from then. Default: 7 days.
   */
  maxStale?: number | undefined;
  /** Milliseconds for which somebody waits for an upstream before a tag that is kept is answered. Default: 5,000. */
  patience?: number | undefined;
  /** Milliseconds for which the upstream is believed that it does not have something. 0: it is always asked. Default: 10,000. */
  negativeAge?: number | undefined;
  /**
   * Bytes that may be kept; the store has to have Maintenance then. What was used longest ago goes first, in the background,
   * so there can be more for a while. Default: no limit.
   */
  maxSize?: number | undefined;
  /** Milliseconds for which content that was used is never evicted, whatever `maxSize` says. Default: 60,000. */
  evictAfter?: number | undefined;
  /** Told of everything that the cache does. What it throws is ignored. */
  onEvent?: OnCacheEvent | undefined;
}

/** {@link CacheOptions} with its defaults. */
export interface CacheSettings {
  readonly maxAge: number;
  readonly maxStale: number;
  readonly patience: number;
  readonly negativeAge: number;
  readonly evictAfter: number;
  readonly maxSize: number | undefined;
  readonly tell: OnCacheEvent;
}

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
        // Who counts what happens is not to change it.
      }
    },
  };
}
