import type { Registry } from 'ocikit';
import type { Logger } from 'ocikit/server';

export interface CollectingOptions {
  /** Milliseconds between the end of one collection and the beginning of the next. */
  interval: number;
  /** Milliseconds. */
  gracePeriod: number;
  untagged: 'remove' | 'keep';
  /** Milliseconds. */
  keepHistory: number;
  logger: Logger;
}

/** Collects garbage again and again, never twice at a time, until it is stopped. One line for each. */
export class Collecting {
  readonly #registry: Registry;
  readonly #options: CollectingOptions;
  readonly #stop = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(registry: Registry, options: CollectingOptions) {
    this.#registry = registry;
    this.#options = options;
    this.#schedule();
  }

  /** Ends the one that runs, and resolves when it has ended. What it had begun to remove is gone. */
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
          if (event.type !== 'skipped') return;
          const { repository, digest, state } = event;
          logger.warn('no garbage is collected where a manifest cannot be read', { repository, digest, state });
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
      if (!signal.aborted) logger.error('garbage could not be collected', { error });
    }
  }
}
