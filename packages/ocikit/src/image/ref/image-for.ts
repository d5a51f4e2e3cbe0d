import { formatPlatform, RegistryError } from '../../model/index.ts';
import type { CallOptions, Descriptor, Digest, Platform } from '../../model/index.ts';

import { hostPlatforms, matchingEntries, runsOn } from '../platform/index.ts';

import { platformOf } from './image-config.ts';
import { refMediaTypes } from './ref.ts';
import type { Image, Index, Ref } from './ref.ts';

export interface ImageForOptions extends CallOptions {
  /** What it has to run on: the first one that there is an image for. Default: {@link hostPlatforms}. */
  platforms?: readonly Platform[] | undefined;
}

/** How many indexes deep an image is looked for. */
const maxDepth = 8;

/** How many manifests are fetched to find it: an index may name anything, and as much as it likes. */
const maxFetches = 100;

/**
 * The image for a platform. An image that lies in no index is given as it is, whatever it was made for. Entries that name a platform come
 * first; only where none of them fits are the configs of the others read.
 *
 * Rejects with MANIFEST_UNKNOWN, naming the platforms that there are; as `Index.child` does.
 *
 * @example
 * const ref = await pull(registry, 'library/alpine', { tag: 'latest' });
 * const image = await imageFor(ref, { platforms: [parsePlatform('linux/arm64')] });
 */
export async function imageFor(ref: Ref, options: ImageForOptions = {}): Promise<Image> {
  if (ref.kind === 'image') return ref;
  const { platforms = hostPlatforms(), ...call } = options;
  const search = new ImageSearch(call);
  for (const wanted of platforms) {
    const found = await search.find(ref, wanted);
    if (found !== undefined) return found;
  }
  throw new RegistryError(
    'MANIFEST_UNKNOWN',
    `${ref.descriptor.digest} has no image for ${platforms.map(platformText).join(' or ')}: there is ${offeredBy(ref)}`,
  );
}

/** Remembers what was fetched for one platform, as it may do for the next. */
class ImageSearch {
  readonly #call: CallOptions;
  readonly #refs = new Map<Digest, Ref>();
  readonly #platforms = new Map<Digest, Platform | undefined>();

  constructor(call: CallOptions) {
    this.#call = call;
  }

  async find(index: Index, wanted: Platform, depth: number = maxDepth): Promise<Image | undefined> {
    if (depth <= 0) return undefined;
    for (const entry of matchingEntries(index.manifests, wanted)) {
      const ref = await this.#fetch(index, entry);
      const found = ref?.kind === 'index' ? await this.find(ref, wanted, depth - 1) : ref;
      if (found !== undefined) return found;
    }
    for (const entry of index.manifests.filter(isUndescribed)) {
      const ref = await this.#fetch(index, entry);
      if (ref === undefined) return undefined;
      const found = ref.kind === 'index' ? await this.find(ref, wanted, depth - 1) : await this.#ifFor(ref, wanted);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async #fetch(index: Index, entry: Descriptor): Promise<Ref | undefined> {
    const known = this.#refs.get(entry.digest);
    if (known !== undefined) return known;
    if (this.#refs.size === maxFetches) return undefined;
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
