import { parseDigest } from '../../model/index.ts';
import type { CallOptions, Digest } from '../../model/index.ts';

import { registrySource } from '../content/index.ts';
import type { ImageReader } from '../content/index.ts';

import { createRef } from './ref.ts';
import type { Ref } from './ref.ts';

/** At least one of tag and digest. The options of the call hold for all later reads of what is pulled as well. */
export interface PullOptions extends CallOptions {
  /** What is asked for. Without a digest, the registry is trusted to say what it names. */
  tag?: string | undefined;
  /** What the answer has to be. Without a tag it is asked for itself. */
  digest?: Digest | undefined;
}

/**
 * An image or an index of a registry, a layout, or whatever else can be read: its manifest is fetched now and verified, the rest when
 * it is read. With both a tag and a digest, the tag is asked for and the digest verifies the answer, so that a cache on the way
 * knows the tag.
 *
 * Rejects with TypeError if there is neither a tag nor a digest; MANIFEST_UNKNOWN, NAME_UNKNOWN; DIGEST_INVALID if the manifest is another
 * one; UNSUPPORTED_MEDIA_TYPE if it is neither an image nor an index; MANIFEST_INVALID.
 *
 * @example
 * const registry = createClient({ host: 'docker.io' });
 * const image = await imageFor(await pull(registry, 'library/alpine', { tag: 'latest' }));
 * for (const layer of image.layers) await writeFile(layer.digest, await image.openBlob(layer));
 */
export async function pull(registry: ImageReader, repository: string, options: PullOptions): Promise<Ref> {
  const { tag, digest, ...call } = options;
  if (tag === undefined && digest === undefined) {
    throw new TypeError(`which image of ${repository}? A tag or a digest is needed, or both`);
  }
  call.signal?.throwIfAborted();
  if (digest !== undefined) parseDigest(digest);
  const { bytes, descriptor } =
    tag === undefined && digest !== undefined
      ? await registry.getManifest(repository, digest, call)
      : await registry.getTag(repository, tag ?? '', call);
  call.signal?.throwIfAborted();
  return createRef({
    ...call,
    bytes,
    mediaType: descriptor.mediaType,
    digest: digest ?? descriptor.digest,
    source: registrySource(registry, repository),
  });
}
