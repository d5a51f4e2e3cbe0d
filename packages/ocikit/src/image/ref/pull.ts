// Pulls an image or an index from a registry.
import { parseDigest } from '../../model/index.ts';
import type { CallOptions, Digest, NamedManifest } from '../../model/index.ts';

import { registrySource } from '../content/index.ts';
import type { ImageReader } from '../content/index.ts';

import { createRef } from './ref.ts';
import type { Ref } from './ref.ts';

/** Options of {@link pull}: a tag, a digest or both. The call's options apply to all later reads of the image too. */
export interface PullOptions extends CallOptions {
  /** The tag to pull. Without a digest, the registry is trusted to give the right manifest. */
  tag?: string | undefined;
  /** The manifest's digest, which is verified. Without a tag, the manifest is requested by this digest. */
  digest?: Digest | undefined;
  /**
   * Refuse media types and artifact types that RFC 6838 does not allow, such as `foo`, with MANIFEST_INVALID. It holds
   * for the children too. Default: false, as registries hold such artifacts.
   */
  strictMediaTypes?: boolean | undefined;
}

/**
 * * Pulls an image or an index from a registry, a layout or another store. The manifest is fetched now and verified;
 * the config, layers and children are fetched when they are read. With both a tag and a digest, the tag is requested
 * and the digest is verified, so that a cache in between learns the tag.
 *
 * Rejects with TypeError if neither a tag nor a digest is given; with MANIFEST_UNKNOWN or NAME_UNKNOWN; with
 * DIGEST_INVALID if the manifest does not match the digest; with UNSUPPORTED_MEDIA_TYPE if it is neither an image nor
 * an index; and with MANIFEST_INVALID if it is malformed.
 *
 * @example
 * const registry = createClient({ host: 'docker.io' });
 * const image = await imageFor(await pull(registry, 'library/alpine', { tag: 'latest' }));
 * for (const layer of image.layers) await writeFile(layer.digest, await image.openBlob(layer));
 */
export async function pull(
  registry: ImageReader,
  repository: string,
  options: PullOptions & NamedManifest,
): Promise<Ref> {
  const { tag, digest, strictMediaTypes, ...call }: PullOptions = options;
  if (tag === undefined && digest === undefined) {
    throw new TypeError(`no image of ${repository} was named. A tag or a digest is needed, or both`);
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
    strictMediaTypes,
  });
}
