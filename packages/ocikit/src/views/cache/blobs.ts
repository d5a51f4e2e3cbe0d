import { resolveRange } from '../../model/index.ts';
import type {
  BlobContent,
  ByteRange,
  CallOptions,
  Descriptor,
  Digest,
  GetBlobOptions,
  Registry,
  RegistryError,
} from '../../model/index.ts';

import type { ExpiringMap } from './expiring-map.ts';
import type { Fill } from './fill.ts';
import { Fills } from './fills.ts';
import { Flights } from './flights.ts';
import { ifKept, KeptBlobs } from './kept.ts';
import type { CacheEventType, CacheSettings } from './options.ts';
import { keyOf } from './place.ts';
import type { Place } from './place.ts';
import { isUnknown } from './upstream.ts';

/** Bytes: who wants a part that is no further away waits until the download has come there. */
const nearby = 16 * 1024 * 1024;

/** Blobs through a cache. */
export class CachedBlobs {
  readonly #store: Registry;
  readonly #settings: CacheSettings;
  readonly #unknown: ExpiringMap<RegistryError>;
  readonly #kept: KeptBlobs;
  readonly #looks = new Flights<Descriptor>();
  readonly fills: Fills;

  /** @param unknown what upstreams were said to lack */
  constructor(
    store: Registry,
    settings: CacheSettings,
    unknown: ExpiringMap<RegistryError>,
    onKept: (size: number) => void,
  ) {
    this.#store = store;
    this.#settings = settings;
    this.#unknown = unknown;
    this.#kept = new KeptBlobs(store, settings);
    this.fills = new Fills(store, settings, onKept);
  }

  async get(place: Place, digest: Digest, options: GetBlobOptions): Promise<BlobContent> {
    if (options.range !== undefined) resolveRange(options.range, 0);
    const kept = await this.#kept.get(place.keptAs, digest, options);
    if (kept !== undefined) {
      this.#tell('hit', place, digest);
      return kept;
    }
    this.#assertNotUnknown(place, digest);
    if (options.range !== undefined && !(await this.#isNear(place, digest, options.range))) {
      return this.#pass(place, digest, options);
    }
    try {
      const fill = await this.fills.get(place, digest, options.signal);
      const content = fill === undefined ? undefined : await this.fills.content(fill, place, options);
      return content ?? (await this.#pass(place, digest, options));
    } catch (error) {
      this.#noteUnknown(place, digest, error);
      throw error;
    }
  }

  /** Whether a part is worth waiting for: at the beginning, or not far from where a download is. */
  async #isNear(place: Place, digest: Digest, range: ByteRange): Promise<boolean> {
    if ('start' in range && range.start === 0) return true;
    const reached = await this.fills.reached(place, digest);
    if (reached === undefined) return false;
    const fill = await this.fills.running(place, digest)?.catch(() => undefined);
    const start = 'start' in range ? range.start : startOf(fill, range);
    return start <= reached + nearby;
  }

  /** From the upstream, and not kept. */
  async #pass(place: Place, digest: Digest, options: GetBlobOptions): Promise<BlobContent> {
    const { upstream, repository, context } = place;
    this.#tell('passed', place, digest);
    try {
      return await upstream.ask((registry) => registry.getBlob(repository, digest, { ...options, context }));
    } catch (error) {
      options.signal?.throwIfAborted();
      this.#noteUnknown(place, digest, error);
      throw error;
    }
  }

  async resolve(place: Place, digest: Digest, { signal }: CallOptions): Promise<Descriptor> {
    const kept = await ifKept(signal, () => this.#store.resolveBlob(place.keptAs, digest, { signal }));
    if (kept !== undefined) {
      this.#tell('hit', place, digest);
      return kept;
    }
    const fill = await this.fills.running(place, digest)?.catch(() => undefined);
    if (fill !== undefined) return { ...fill.descriptor };
    this.#assertNotUnknown(place, digest);
    const { upstream, repository, context } = place;
    try {
      const found = await this.#looks.share(keyOf(place, digest), signal, () =>
        upstream.ask((registry) => registry.resolveBlob(repository, digest, { context })),
      );
      return { ...found };
    } catch (error) {
      this.#noteUnknown(place, digest, error);
      throw error;
    }
  }

  #assertNotUnknown(place: Place, digest: Digest): void {
    const error = this.#unknown.get(`blob ${keyOf(place, digest)}`);
    if (error !== undefined) throw error;
  }

  #noteUnknown(place: Place, digest: Digest, error: unknown): void {
    if (isUnknown(error)) this.#unknown.set(`blob ${keyOf(place, digest)}`, error, this.#settings.negativeAge);
  }

  #tell(type: CacheEventType, place: Place, digest: Digest): void {
    this.#settings.tell({ type, kind: 'blob', repository: place.keptAs, reference: digest });
  }
}

function startOf(fill: Fill | undefined, range: ByteRange): number {
  return fill === undefined ? Infinity : resolveRange(range, fill.descriptor.size).start;
}
