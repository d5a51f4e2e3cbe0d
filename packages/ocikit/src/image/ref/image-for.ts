// Finds the image for a platform in an index.
import { formatPlatform, isManifestMediaType, isRegistryError, RegistryError } from '../../model/index.ts';
import type { CallOptions, Descriptor, Digest, ErrorCode, Platform } from '../../model/index.ts';

import { assertPlatforms, hostPlatforms, matchingEntries, runsOn } from '../platform/index.ts';

import { platformOf } from './image-config.ts';
import { refMediaTypes } from './ref.ts';
import type { Image, Index, Ref } from './ref.ts';

/** Options of {@link imageFor}. */
export interface ImageForOptions extends CallOptions {
  /** The wanted platforms, the best first. Default: {@link hostPlatforms}. */
  platforms?: readonly Platform[] | undefined;
}

/** How many nested indexes are searched. */
const maxDepth = 8;

/** How many manifests are fetched at most: an index may name any number of others. */
const maxFetches = 100;

/**
 * * Finds the image for the first of the wanted platforms that has one. If the ref is an image, it is the result,
 * whatever its platform is. Entries that name a platform are searched first. Only if none of them fits, the configs
 * of the other entries are read. An entry whose content is missing or damaged is left out: the next one may fit too.
 *
 * Rejects with MANIFEST_UNKNOWN, naming the platforms that the index has; with the code of the first entry that was
 * left out, if there was one; with UNSUPPORTED if `platforms` is no list of platforms, or an empty one; and at once
 * with any other error of the source.
 *
 * @example
 * const ref = await pull(registry, 'library/alpine', { tag: 'latest' });
 * const image = await imageFor(ref, { platforms: [parsePlatform('linux/arm64')] });
 */
export async function imageFor(ref: Ref, options: ImageForOptions = {}): Promise<Image> {
  const { platforms = hostPlatforms(), ...call } = options;
  assertPlatforms(platforms);
  if (ref.kind === 'image') return ref;
  const search = new ImageSearch(call);
  for (const wanted of platforms) {
    const found = await search.find(ref, wanted);
    if (found !== undefined) return found;
  }
  const wanted = platforms.map(platformText).join(' or ');
  const missing = `${ref.descriptor.digest} has no image for ${wanted}: there is ${offeredBy(ref)}`;
  const [failure] = search.failures;
  if (failure === undefined) throw new RegistryError('MANIFEST_UNKNOWN', missing);
  const { entry, error } = failure;
  throw new RegistryError(error.code, `${missing}; ${entry.digest} could not be read: ${error.message}`, {
    cause: error,
    detail: error.detail,
  });
}

/** Codes of content that is missing or damaged, so that another entry may do. */
const codesOfEntry: readonly ErrorCode[] = [
  'MANIFEST_UNKNOWN',
  'BLOB_UNKNOWN',
  'NOT_FOUND',
  'MANIFEST_INVALID',
  'DIGEST_INVALID',
  'SIZE_INVALID',
  'UNSUPPORTED_MEDIA_TYPE',
  'CONTENT_TOO_LARGE',
];

/** One search. It keeps fetched manifests, as they may be needed for the next platform. */
class ImageSearch {
  readonly #call: CallOptions;
  readonly #refs = new Map<Digest, Ref>();
  readonly #platforms = new Map<Digest, Platform | undefined>();
  readonly #failures = new Map<Digest, { entry: Descriptor; error: RegistryError }>();
  #fetches = 0;

  constructor(call: CallOptions) {
    this.#call = call;
  }

  /** The entries whose content could not be read, in the order of the search. */
  get failures(): Iterable<{ entry: Descriptor; error: RegistryError }> {
    return this.#failures.values();
  }

  async find(index: Index, wanted: Platform, depth: number = maxDepth): Promise<Image | undefined> {
    if (depth <= 0) return undefined;
    for (const entry of matchingEntries(index.manifests.filter(isManifest), wanted)) {
      const ref = await this.#unlessBroken(entry, () => this.#fetch(index, entry));
      const found = ref?.kind === 'index' ? await this.find(ref, wanted, depth - 1) : ref;
      if (found !== undefined) return found;
    }
    for (const entry of index.manifests.filter(isUndescribed)) {
      const found = await this.#unlessBroken(entry, async () => {
        const ref = await this.#fetch(index, entry);
        return ref?.kind === 'index' ? this.find(ref, wanted, depth - 1) : ref && this.#ifFor(ref, wanted);
      });
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Runs a part of the search, and notes that the content of an entry could not be read. */
  async #unlessBroken<T>(entry: Descriptor, run: () => Promise<T>): Promise<T | undefined> {
    if (this.#failures.has(entry.digest)) return undefined;
    try {
      return await run();
    } catch (error) {
      if (!isRegistryError(error, ...codesOfEntry)) throw error;
      this.#failures.set(entry.digest, { entry, error });
      return undefined;
    }
  }

  /** @returns undefined if too many manifests were fetched */
  async #fetch(index: Index, entry: Descriptor): Promise<Ref | undefined> {
    const known = this.#refs.get(entry.digest);
    if (known !== undefined) return known;
    if (this.#fetches === maxFetches) return undefined;
    this.#fetches++;
    const ref = await index.child(entry, this.#call);
    this.#refs.set(entry.digest, ref);
    return ref;
  }

  async #ifFor(image: Image, wanted: Platform): Promise<Image | undefined> {
    const { digest } = image.descriptor;
    if (!this.#platforms.has(digest)) this.#platforms.set(digest, await platformOf(image, this.#call));
    const platform = this.#platforms.get(digest);
    return platform !== undefined && runsOn(platform, wanted) ? image : undefined;
  }
}

const isManifest = ({ mediaType }: Descriptor): boolean => isManifestMediaType(mediaType);

function isUndescribed({ platform, mediaType }: Descriptor): boolean {
  return platform === undefined && refMediaTypes.includes(mediaType);
}

/** The platforms of an index's entries, for a message. */
function offeredBy({ manifests }: Index): string {
  const named = new Set(manifests.map(describe).filter((text) => text !== undefined));
  const shownOnes = [...named].slice(0, 20).join(', ');
  if (named.size === 0) return 'none that names a platform';
  return named.size > 20 ? `${shownOnes} …` : shownOnes;
}

function describe({ platform }: Descriptor): string | undefined {
  return platform === undefined ? undefined : platformText(platform).slice(0, 100);
}

const platformText = (platform: Partial<Platform>): string => formatPlatform({ os: '', architecture: '', ...platform });
