// Collects garbage at an interval while `ocikit serve --gc` runs.
import type { Registry } from 'ocikit';
import type { Logger } from 'ocikit/server';

/** How often garbage is collected, and what is kept. */
export interface GarbageCollectionOptions {
  /** Milliseconds between the end of one collection and the beginning of the next. */
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

  constructor(registry: Registry, options: GarbageCollectionOptions) {
    this.#registry = registry;
    this.#options = options;
    this.#schedule();
  }

  /** Aborts a running collection and resolves when it has ended. A removal that has begun is finished. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#stop.abort(new Error('the server stops'));
    await this.#running;
  }

  #schedule(): void {
    if (this.#stop.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#running = this.#collect().then(() => this.#schedule());
    }, this.#options.interval);
    this.#timer.unref();
  }

  async #collect(): Promise<void> {
    const { gracePeriod, untagged, keepHistory, logger } = this.#options;
    const { signal } = this.#stop;
    const started = performance.now();
    try {
      const { collectGarbage } = await import('ocikit/upkeep');
      const { manifests, blobs, orphans, skipped, repositories } = await collectGarbage(this.#registry, {
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
      logger.info?.('garbage collected', {
        repositories,
        manifests: manifests.count,
        blobs: blobs.count,
        orphans: orphans.count,
        bytes: manifests.size + blobs.size + orphans.size,
        skipped,
        milliseconds: Math.round(performance.now() - started),
      });
    } catch (error) {
      if (!signal.aborted) logger.error('garbage collection failed', { error });
    }
  }
}
