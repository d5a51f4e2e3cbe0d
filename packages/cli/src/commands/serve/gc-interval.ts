// Collects garbage at an interval while `ocikit serve --gc` runs.
import type { Registry } from 'ocikit';
import type { Logger } from 'ocikit/server';

/** How often garbage is collected, and what is kept. */
export interface GarbageCollectionOptions {
  /**
   * Milliseconds between the beginnings of two collections. One that takes longer is followed by the next after a tenth
   * of its time. The first one begins after the grace period, if that is shorter: a server that is restarted often
   * would never come to it otherwise.
   */
  interval: number;
  /** Content used within this time is kept, in milliseconds. */
  gracePeriod: number;
  /** Whether untagged manifests are removed. */
  untagged: 'remove' | 'keep';
  /** Content that a tag pointed to within this time is kept, in milliseconds. */
  keepHistory: number;
  /** Gets one line for each collection. */
  logger: Logger;
}

/** Collects garbage at an interval until it is stopped; only one collection runs at a time. */
export class GarbageCollection {
  readonly #registry: Registry;
  readonly #options: GarbageCollectionOptions;
  readonly #stop = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> = Promise.resolve();
  /** True if the last collection took longer than the interval: that is said once. */
  #isLate = false;

  constructor(registry: Registry, options: GarbageCollectionOptions) {
    this.#registry = registry;
    this.#options = options;
    const { interval, gracePeriod } = options;
    this.#wait(Math.min(interval, gracePeriod));
  }

  /** Aborts a running collection and resolves when it has ended. A removal that has begun is finished. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#stop.abort(new Error('the server stops'));
    await this.#running;
  }

  #wait(pause: number): void {
    if (this.#stop.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#running = this.#collectAndWait();
    }, pause);
    this.#timer.unref();
  }

  async #collectAndWait(): Promise<void> {
    const started = performance.now();
    await this.#collect();
    const duration = performance.now() - started;
    this.#wait(Math.max(this.#options.interval - duration, duration / 10));
  }

  async #collect(): Promise<void> {
    const { interval, gracePeriod, untagged, keepHistory, logger } = this.#options;
    const { signal } = this.#stop;
    const started = performance.now();
    try {
      const { collectGarbage } = await import('ocikit/upkeep');
      const { manifests, blobs, orphans, skipped, waiting, repositories } = await collectGarbage(this.#registry, {
        gracePeriod,
        untagged,
        keepHistory,
        signal,
        onEvent: (event) => {
          if (event.type === 'failed') {
            const { repository, reason } = event;
            logger.error('garbage collection of a repository failed', { repository, reason });
          }
          if (event.type !== 'skipped') return;
          const { repository, digest, state } = event;
          logger.warn('skipped a repository in garbage collection: a manifest cannot be read', {
            repository,
            digest,
            state,
          });
        },
      });
      const milliseconds = Math.round(performance.now() - started);
      logger.info?.('garbage collected', {
        repositories,
        manifests: manifests.count,
        blobs: blobs.count,
        orphans: orphans.count,
        bytes: manifests.size + blobs.size + orphans.size,
        skipped,
        waiting,
        milliseconds,
      });
      const wasLate = this.#isLate;
      this.#isLate = milliseconds > interval;
      if (this.#isLate && !wasLate) {
        logger.warn('a garbage collection took longer than its interval: garbage may stay longer', {
          milliseconds,
          interval,
        });
      }
    } catch (error) {
      if (!signal.aborted) logger.error('garbage collection failed', { error });
    }
  }
}
