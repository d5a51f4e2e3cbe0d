// Blobs through a cache: from the store, shared from another repository, while they arrive, or passed on unkept.
import { SingleFlight, abortable } from '../../../transfer/index.ts';
import { resolveRange } from '../../../model/index.ts';
import type {
  BlobContent,
  ByteRange,
  CallOptions,
  Descriptor,
  Digest,
  GetBlobOptions,
  Registry,
  RegistryError,
} from '../../../model/index.ts';

import { ExpiringMap } from '../shared/index.ts';
import { Fills } from '../fill/index.ts';
import { fromStore, LeasedBlobs } from './leased-blobs.ts';
import type { CacheEventType, CacheSettings } from '../shared/index.ts';
import { briefly, isUnknown, placeKey } from '../upstream/index.ts';
import type { Place } from '../upstream/index.ts';

/** Bytes. A reader of a part waits for the download if the part begins at most this far behind its position. */
const nearby = 16 * 1024 * 1024;
/** Milliseconds for which a repository that has a blob is remembered. */
const homeFor = 24 * 60 * 60 * 1000;

/** Blobs through a cache. */
export class CachedBlobs {
  readonly #store: Registry;
  readonly #settings: CacheSettings;
  readonly #unknown: ExpiringMap<RegistryError>;
  readonly #kept: LeasedBlobs;
  readonly #looks = new SingleFlight<Descriptor>('finish');
  readonly #mounts = new SingleFlight<boolean>('finish');
  /** The repositories that have the blobs that arrived or were read lately: many images have the same base. */
  readonly #homes = new ExpiringMap<string>();
  /** The running downloads. */
  readonly fills: Fills;

  /** @param unknown the errors for content that the upstreams do not have */
  constructor(
    store: Registry,
    settings: CacheSettings,
    unknown: ExpiringMap<RegistryError>,
    onKept: (size: number) => void,
  ) {
    this.#store = store;
    this.#settings = settings;
    this.#unknown = unknown;
    this.#kept = new LeasedBlobs(store, settings);
    this.fills = new Fills(store, settings, (place, digest, size) => {
      this.#homes.set(digest, place.keptAs, homeFor);
      onKept(size);
    });
  }

  /** The blob, or a part of it. */
  async get(place: Place, digest: Digest, options: GetBlobOptions): Promise<BlobContent> {
    const { range, ranges } = options;
    for (const each of ranges ?? [range]) resolveRange(each, 0);
    const kept = await this.#kept.get(place.keptAs, digest, options);
    if (kept !== undefined) {
      this.#homes.set(digest, place.keptAs, homeFor);
      this.#tell('hit', place, digest);
      return kept;
    }
    this.#assertNotUnknown(place, digest);
    if (await this.#share(place, digest, options.signal)) {
      const shared = await this.#kept.get(place.keptAs, digest, options);
      if (shared !== undefined) return shared;
    }
    const isNear =
      ranges === undefined ? this.#isNear(place, digest, options) : this.#areNear(place, digest, ranges, options);
    if (!(await isNear)) return this.#pass(place, digest, options);
    try {
      const fill = await this.fills.get(place, digest, options);
      const content = fill === undefined ? undefined : await this.fills.content(fill, place, options);
      return content ?? (await this.#pass(place, digest, options));
    } catch (error) {
      this.#noteUnknown(place, digest, error);
      throw error;
    }
  }

  /**
   * Mounts the blob from another repository of the store, so that it need not be fetched. This repository's upstream
   * must have it too: a caller that may read this repository may not be allowed to read the other one.
   */
  async #share(place: Place, digest: Digest, signal: AbortSignal | undefined): Promise<boolean> {
    const home = this.#homes.get(digest);
    if (home === undefined || home === place.keptAs || this.fills.has(place, digest)) return false;
    return this.#mounts.join(placeKey(place, digest), signal, async () => {
      const { upstream, repository, keptAs, context } = place;
      try {
        await upstream.ask((registry) => registry.resolveBlob(repository, digest, { context }));
      } catch (error) {
        this.#noteUnknown(place, digest, error);
        throw error;
      }
      const mounted = await fromStore(undefined, () => this.#store.mountBlob(home, keptAs, digest));
      await mounted?.upload?.cancel();
      if (mounted?.descriptor === undefined) {
        this.#homes.delete(digest);
        return false;
      }
      this.#tell('shared', place, digest);
      return true;
    });
  }

  /** Whether a part is worth waiting for: it is at the beginning, or near the position of a download. */
  async #isNear(place: Place, digest: Digest, { range, signal }: GetBlobOptions): Promise<boolean> {
    if (range === undefined || ('start' in range && range.start === 0)) return true;
    return this.#areNear(place, digest, [range], { signal });
  }

  /**
   * Whether all of several parts are near the position of a download. They begin no download: a client that asks for
   * several parts has the rest of the blob already.
   */
  async #areNear(
    place: Place,
    digest: Digest,
    ranges: readonly ByteRange[],
    { signal }: CallOptions,
  ): Promise<boolean> {
    const reached = await abortable(this.fills.reached(place, digest), signal);
    if (reached === undefined) return false;
    return ranges.every((range) => resolveRange(range, reached.size).start <= reached.position + nearby);
  }

  /** From the upstream, without keeping it. */
  async #pass(place: Place, digest: Digest, options: GetBlobOptions): Promise<BlobContent> {
    const { upstream, repository, context } = place;
    this.#tell('passed', place, digest);
    try {
      const { signal } = options;
      return await upstream.ask((registry) => registry.getBlob(repository, digest, { ...options, context }), signal);
    } catch (error) {
      this.#noteUnknown(place, digest, error);
      throw error;
    }
  }

  /** The blob's descriptor. */
  async resolve(place: Place, digest: Digest, { signal }: CallOptions): Promise<Descriptor> {
    const kept = await fromStore(signal, () => this.#store.resolveBlob(place.keptAs, digest, { signal }));
    if (kept !== undefined) {
      this.#tell('hit', place, digest);
      return kept;
    }
    const coming = await abortable(this.fills.descriptor(place, digest), signal);
    if (coming !== undefined) return coming;
    this.#assertNotUnknown(place, digest);
    const { upstream, repository, context } = place;
    try {
      const found = await this.#looks.join(placeKey(place, digest), signal, () =>
        upstream.ask((registry) => registry.resolveBlob(repository, digest, { context })),
      );
      return { ...found };
    } catch (error) {
      this.#noteUnknown(place, digest, error);
      throw error;
    }
  }

  #assertNotUnknown(place: Place, digest: Digest): void {
    const error = this.#unknown.get(`blob ${placeKey(place, digest)}`);
    if (error !== undefined) throw error;
  }

  #noteUnknown(place: Place, digest: Digest, error: unknown): void {
    if (isUnknown(error))
      this.#unknown.set(`blob ${placeKey(place, digest)}`, briefly(error), this.#settings.negativeAge);
  }

  #tell(type: CacheEventType, place: Place, digest: Digest): void {
    this.#settings.tell({ type, kind: 'blob', repository: place.keptAs, reference: digest });
  }
}
