// Manifests by digest through a cache.
import { SingleFlight } from '../../../transfer/index.ts';
import { digestOf, isRegistryError, parseJson, splitDigest } from '../../../model/index.ts';
import type { CallOptions, Descriptor, Digest, Manifest, Registry, RegistryError } from '../../../model/index.ts';

import type { CacheEventType, CacheSettings, ExpiringMap } from '../shared/index.ts';
import { fromStore } from './leased-blobs.ts';
import { briefly, isUnknown, placeKey, wrongAnswer } from '../upstream/index.ts';
import type { Place } from '../upstream/index.ts';

/** Manifests by digest, from the store or an upstream. */
export class CachedManifests {
  readonly #store: Registry;
  readonly #settings: CacheSettings;
  readonly #unknown: ExpiringMap<RegistryError>;
  readonly #onKept: (size: number) => void;
  /** The tags that are known to point to a digest. */
  readonly #tagsAt: (place: Place, digest: Digest) => string[];
  readonly #gets = new SingleFlight<Manifest>('finish');
  readonly #looks = new SingleFlight<Descriptor>('finish');

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

  /** The manifest, in a copy of its own for each caller. */
  async get(place: Place, digest: Digest, { signal }: CallOptions): Promise<Manifest> {
    const kept = await this.kept(place, digest, signal);
    if (kept !== undefined) {
      this.#tell('hit', place, digest);
      return kept;
    }
    this.#assertNotUnknown(place, digest);
    const { upstream, repository, context } = place;
    try {
      const { descriptor, bytes } = await this.#gets.join(placeKey(place, digest), signal, async () => {
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

  /** The manifest's descriptor. */
  async resolve(place: Place, digest: Digest, { signal }: CallOptions): Promise<Descriptor> {
    const kept = await fromStore(signal, () => this.#store.resolveManifest(place.keptAs, digest, { signal }));
    if (kept !== undefined) {
      this.#tell('hit', place, digest);
      return kept;
    }
    this.#assertNotUnknown(place, digest);
    const { upstream, repository, context } = place;
    try {
      const found = await this.#looks.join(placeKey(place, digest), signal, () =>
        upstream.ask((registry) => registry.resolveManifest(repository, digest, { context })),
      );
      return { ...found };
    } catch (error) {
      this.#noteUnknown(place, digest, error);
      throw error;
    }
  }

  /** The manifest in the store, if its digest is right. A manifest is small, so its digest is computed at each read. */
  async kept(place: Place, digest: Digest, signal: AbortSignal | undefined): Promise<Manifest | undefined> {
    const found = await fromStore(signal, () => this.#store.getManifest(place.keptAs, digest, { signal }));
    if (found === undefined || digestOf(found.bytes, splitDigest(digest).algorithm) === digest) return found;
    this.#tell('corrupt', place, digest);
    return undefined;
  }

  /** @throws RegistryError UNAVAILABLE if the upstream sent another manifest */
  #assertIs(place: Place, digest: Digest, { descriptor, bytes }: Manifest): void {
    const found = digestOf(bytes, splitDigest(digest).algorithm);
    if (found === digest && descriptor.digest === digest && bytes.length === descriptor.size) return;
    const error = wrongAnswer(`a manifest with the digest ${found}, not ${digest}`);
    this.#tell('failed', place, digest, error);
    throw error;
  }

  /**
   * Gives the store a manifest, and sets its tags. A manifest that the store refuses is served nevertheless.
   *
   * @throws RegistryError UNAVAILABLE if its media type differs from the one in its content
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
    const error = this.#unknown.get(`manifest ${placeKey(place, digest)}`);
    if (error !== undefined) throw error;
  }

  #noteUnknown(place: Place, digest: Digest, error: unknown): void {
    if (isUnknown(error))
      this.#unknown.set(`manifest ${placeKey(place, digest)}`, briefly(error), this.#settings.negativeAge);
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

/** Undefined if it may be a manifest of a kind that the store does not know. */
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
