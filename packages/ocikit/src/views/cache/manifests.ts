import { digestOf, isRegistryError, parseJson, splitDigest } from '../../model/index.ts';
import type { CallOptions, Descriptor, Digest, Manifest, Registry, RegistryError } from '../../model/index.ts';

import type { ExpiringMap } from './expiring-map.ts';
import { Flights } from './flights.ts';
import { ifKept } from './kept.ts';
import type { CacheEventType, CacheSettings } from './options.ts';
import { keyOf } from './place.ts';
import type { Place } from './place.ts';
import { briefly, isUnknown, wrongAnswer } from './upstream.ts';

/** Manifests by their digests, through a cache. */
export class CachedManifests {
  readonly #store: Registry;
  readonly #settings: CacheSettings;
  readonly #unknown: ExpiringMap<RegistryError>;
  readonly #onKept: (size: number) => void;
  /** The tags that are known to be at a digest. */
  readonly #tagsAt: (place: Place, digest: Digest) => string[];
  readonly #gets = new Flights<Manifest>();
  readonly #looks = new Flights<Descriptor>();

  constructor(
    store: Registry,
    settings: CacheSettings,
    unknown: ExpiringMap<RegistryError>,
    hooks: { onKept: (size: number) => void; tagsAt: (place: Place, digest: Digest) => string[] },
  ) {
    this.#store = store;
    this.#settings = settings;
    this.#unknown = unknown;
    this.#onKept = hooks.onKept;
    this.#tagsAt = hooks.tagsAt;
  }

  /** Bytes are the caller's own. */
  async get(place: Place, digest: Digest, { signal }: CallOptions): Promise<Manifest> {
    const kept = await this.kept(place, digest, signal);
    if (kept !== undefined) {
      this.#tell('hit', place, digest);
      return kept;
    }
    this.#assertNotUnknown(place, digest);
    const { upstream, repository, context } = place;
    try {
      const { descriptor, bytes } = await this.#gets.share(keyOf(place, digest), signal, async () => {
        this.#tell('miss', place, digest);
        const manifest = await upstream.ask((registry) => registry.getManifest(repository, digest, { context }));
        this.#assertIs(place, digest, manifest);
        await this.keep(place, manifest, this.#tagsAt(place, digest));
        return manifest;
      });
      return { descriptor: { ...descriptor }, bytes: new Uint8Array(bytes) };
    } catch (error) {
      this.#noteUnknown(place, digest, error);
      throw error;
    }
  }

  async resolve(place: Place, digest: Digest, { signal }: CallOptions): Promise<Descriptor> {
    const kept = await ifKept(signal, () => this.#store.resolveManifest(place.keptAs, digest, { signal }));
    if (kept !== undefined) {
      this.#tell('hit', place, digest);
      return kept;
    }
    this.#assertNotUnknown(place, digest);
    const { upstream, repository, context } = place;
    try {
      const found = await this.#looks.share(keyOf(place, digest), signal, () =>
        upstream.ask((registry) => registry.resolveManifest(repository, digest, { context })),
      );
      return { ...found };
    } catch (error) {
      this.#noteUnknown(place, digest, error);
      throw error;
    }
  }

  /** What the store has. As it is small, its digest is computed anew: a damaged one is as good as none. */
  async kept(place: Place, digest: Digest, signal: AbortSignal | undefined): Promise<Manifest | undefined> {
    const found = await ifKept(signal, () => this.#store.getManifest(place.keptAs, digest, { signal }));
    if (found === undefined || digestOf(found.bytes, splitDigest(digest).algorithm) === digest) return found;
    this.#tell('corrupt', place, digest);
    return undefined;
  }

  /** @throws RegistryError UNAVAILABLE if it is not what it was asked for */
  #assertIs(place: Place, digest: Digest, { descriptor, bytes }: Manifest): void {
    const found = digestOf(bytes, splitDigest(digest).algorithm);
    if (found === digest && descriptor.digest === digest && bytes.length === descriptor.size) return;
    const error = wrongAnswer(`a manifest with the digest ${found}, not ${digest}`);
    this.#tell('failed', place, digest, error);
    throw error;
  }

  /**
   * Gives the store a manifest, and sets its tags. A store that does not take it is no reason not to serve it.
   *
   * @throws RegistryError UNAVAILABLE if its media type is not that of its content
   */
  async keep(place: Place, manifest: Manifest, tags: readonly string[]): Promise<void> {
    const { descriptor, bytes } = manifest;
    const { digest, mediaType, size } = descriptor;
    try {
      await this.#store.pushManifest(place.keptAs, bytes, mediaType, { digest, tags });
      this.#tell('kept', place, digest);
      this.#onKept(size);
    } catch (error) {
      const isRefused = isRegistryError(error, 'MANIFEST_INVALID', 'UNSUPPORTED_MEDIA_TYPE');
      const wrong = isRefused ? whatIsWrong(bytes, mediaType) : undefined;
      this.#tell(wrong === undefined ? 'unkept' : 'failed', place, digest, error);
      if (wrong !== undefined) throw wrongAnswer(wrong, error);
    }
  }

  #assertNotUnknown(place: Place, digest: Digest): void {
    const error = this.#unknown.get(`manifest ${keyOf(place, digest)}`);
    if (error !== undefined) throw error;
  }

  #noteUnknown(place: Place, digest: Digest, error: unknown): void {
    if (isUnknown(error))
      this.#unknown.set(`manifest ${keyOf(place, digest)}`, briefly(error), this.#settings.negativeAge);
  }

  #tell(type: CacheEventType, place: Place, digest: Digest, error?: unknown): void {
    const repository = place.keptAs;
    this.#settings.tell({
      type,
      kind: 'manifest',
      repository,
      reference: digest,
      ...(error === undefined ? {} : { error }),
    });
  }
}

/** Undefined if it may be a manifest all the same, of a kind that only the store does not know. */
function whatIsWrong(bytes: Uint8Array, mediaType: string): string | undefined {
  let value: unknown;
  try {
    value = parseJson(bytes);
  } catch {
    value = undefined;
  }
  if (typeof value !== 'object' || value === null) return `no manifest, as ${mediaType}`;
  const own = 'mediaType' in value ? value.mediaType : undefined;
  return own === undefined || own === mediaType
    ? undefined
    : `a manifest of type ${JSON.stringify(own)} as ${mediaType}`;
}
