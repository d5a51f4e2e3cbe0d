// Tags through a cache: the upstream is asked again after a while; the kept tag is answered if it cannot be reached.
import { SingleFlight, abortable } from '../../../transfer/index.ts';
import { digestOf, splitDigest } from '../../../model/index.ts';
import type { CallOptions, Descriptor, Digest, Manifest, Registry, RegistryError } from '../../../model/index.ts';

import type { CacheEventType, CacheSettings, ExpiringMap } from '../shared/index.ts';
import { later } from '../shared/index.ts';
import { fromStore } from './leased-blobs.ts';
import type { CachedManifests } from './manifests.ts';
import { briefly, isOutage, isUnknown, placeKey, notAsked, wrongAnswer } from '../upstream/index.ts';
import type { Place } from '../upstream/index.ts';
import type { TagStates } from './tag-states.ts';

/** The manifest that a tag points to. */
interface TagAnswer {
  descriptor: Descriptor;
  /** Present if it came with the answer. */
  manifest?: Manifest | undefined;
}

/** Tags from the store and the upstreams. An upstream's answer holds for `maxAge`; then the upstream is asked again. */
export class CachedTags {
  readonly #store: Registry;
  readonly #settings: CacheSettings;
  readonly #unknown: ExpiringMap<RegistryError>;
  readonly #manifests: CachedManifests;
  readonly #states: TagStates;
  readonly #asks = new SingleFlight<TagAnswer>('finish');

  constructor(
    store: Registry,
    settings: CacheSettings,
    unknown: ExpiringMap<RegistryError>,
    parts: { manifests: CachedManifests; states: TagStates },
  ) {
    this.#store = store;
    this.#settings = settings;
    this.#unknown = unknown;
    this.#manifests = parts.manifests;
    this.#states = parts.states;
  }

  /** The manifest that the tag points to, in a copy of its own for each caller. */
  async get(place: Place, tag: string, options: CallOptions): Promise<Manifest> {
    const { signal } = options;
    const kept = await this.#kept(place, tag, signal);
    try {
      const { descriptor, manifest } = await this.#current(place, tag, kept, { signal, wantsBytes: true });
      return manifest === undefined
        ? await this.#manifests.get(place, descriptor.digest, { signal })
        : copyOf(manifest);
    } catch (error) {
      signal?.throwIfAborted();
      const stale = this.#mayBeStale(place, tag, kept, error)
        ? await this.#manifests.kept(place, kept.digest, signal)
        : undefined;
      if (stale === undefined) throw error;
      this.#tell('stale', place, tag, error);
      return stale;
    }
  }

  /** The descriptor of the manifest that the tag points to. */
  async resolve(place: Place, tag: string, options: CallOptions): Promise<Descriptor> {
    const { signal } = options;
    const kept = await this.#kept(place, tag, signal);
    try {
      const { descriptor } = await this.#current(place, tag, kept, { signal, wantsBytes: false });
      return { ...descriptor };
    } catch (error) {
      signal?.throwIfAborted();
      if (!this.#mayBeStale(place, tag, kept, error)) throw error;
      this.#tell('stale', place, tag, error);
      return kept;
    }
  }

  /** The manifest that the tag points to in the store. */
  #kept(place: Place, tag: string, signal: AbortSignal | undefined): Promise<Descriptor | undefined> {
    return fromStore(signal, () => this.#store.resolveTag(place.keptAs, tag, { signal }));
  }

  #mayBeStale(place: Place, tag: string, kept: Descriptor | undefined, error: unknown): kept is Descriptor {
    return kept !== undefined && isOutage(error) && this.#states.age(place.keptAs, tag) <= this.#settings.maxStale;
  }

  /**
   * The manifest that the tag points to now. Rejects with UNAVAILABLE within `patience` if a kept tag can be answered.
   */
  async #current(
    place: Place,
    tag: string,
    kept: Descriptor | undefined,
    { signal, wantsBytes }: { signal: AbortSignal | undefined; wantsBytes: boolean },
  ): Promise<TagAnswer> {
    const { keptAs, upstream } = place;
    const state = this.#states.get(keptAs, tag);
    if (state !== undefined && this.#states.age(keptAs, tag) < this.#settings.maxAge) {
      this.#tell('hit', place, tag);
      return { descriptor: state.descriptor };
    }
    const unknown = this.#unknown.get(`tag ${placeKey(place, tag)}`);
    if (unknown !== undefined) throw unknown;
    // The kept tag can be answered: do not wait for an upstream that has just failed.
    if (kept !== undefined && upstream.isDown) throw notAsked('could not be asked a moment ago');
    const asked = this.#asks.join(placeKey(place, tag), undefined, () => {
      this.#tell('miss', place, tag);
      return kept === undefined && wantsBytes ? this.#fetch(place, tag) : this.#look(place, tag, kept);
    });
    return kept === undefined ? abortable(asked, signal) : this.#withPatience(place, asked, signal);
  }

  /** Waits at most `patience`. The request itself goes on. */
  async #withPatience(place: Place, asked: Promise<TagAnswer>, signal: AbortSignal | undefined): Promise<TagAnswer> {
    let stop = (): void => undefined;
    const late = new Promise<never>((_resolve, reject) => {
      stop = later(this.#settings.patience, () => {
        place.upstream.noteSlow();
        reject(notAsked('takes too long to answer'));
      });
    });
    try {
      return await abortable(Promise.race([asked, late]), signal);
    } finally {
      stop();
    }
  }

  /** Asks with one request that brings the manifest as well. */
  async #fetch(place: Place, tag: string): Promise<TagAnswer> {
    const { upstream, repository, keptAs, context } = place;
    const manifest = await this.#askFor(place, tag, undefined, () =>
      upstream.ask((registry) => registry.getTag(repository, tag, { context })),
    );
    const { descriptor, bytes } = manifest;
    if (digestOf(bytes, splitDigest(descriptor.digest).algorithm) !== descriptor.digest) {
      throw wrongAnswer(`a manifest that does not have the digest ${descriptor.digest}`);
    }
    await this.#manifests.keep(place, manifest, [tag]);
    this.#states.confirm(keptAs, tag, descriptor);
    return { descriptor, manifest };
  }

  /** Asks without fetching: registries do not count that as a pull. */
  async #look(place: Place, tag: string, kept: Descriptor | undefined): Promise<TagAnswer> {
    const { upstream, repository, keptAs, context } = place;
    const descriptor = await this.#askFor(place, tag, kept, () =>
      upstream.ask((registry) => registry.resolveTag(repository, tag, { context })),
    );
    this.#states.confirm(keptAs, tag, descriptor);
    if (kept?.digest !== descriptor.digest) await this.#move(place, tag, descriptor.digest);
    return { descriptor };
  }

  /** Moves the kept tag if its manifest is kept. If it is not, the tag is set when the manifest arrives. */
  async #move(place: Place, tag: string, digest: Digest): Promise<void> {
    const manifest = await this.#manifests.kept(place, digest, undefined);
    if (manifest !== undefined) await this.#manifests.keep(place, manifest, [tag]);
  }

  /** Asks the upstream. A tag that the upstream does not have is removed from the store. */
  async #askFor<T>(place: Place, tag: string, kept: Descriptor | undefined, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (!isUnknown(error)) throw error;
      this.#states.delete(place.keptAs, tag);
      this.#unknown.set(`tag ${placeKey(place, tag)}`, briefly(error), this.#settings.negativeAge);
      // The tag stays if it has moved meanwhile. If its deletion fails, the next call asks the upstream again.
      if (kept !== undefined) {
        await this.#store.deleteTag(place.keptAs, tag, { ifTag: kept.digest }).catch(() => undefined);
      }
      throw error;
    }
  }

  #tell(type: CacheEventType, place: Place, tag: string, error?: unknown): void {
    const repository = place.keptAs;
    this.#settings.tell({ type, kind: 'tag', repository, reference: tag, ...(error === undefined ? {} : { error }) });
  }
}

function copyOf({ descriptor, bytes }: Manifest): Manifest {
  return { descriptor: { ...descriptor }, bytes: new Uint8Array(bytes) };
}
