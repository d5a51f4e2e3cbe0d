// Pushes content for tests.
import type { PushedManifest, Registry } from '../../model/index.ts';

import { imageOf } from './manifests.ts';
import type { ImageOptions, TestManifest } from './manifests.ts';

/** Options of {@link pushContent}. */
export interface PushContentOptions {
  /** Tags of the manifest itself. The manifests that it names get none. Default: none. */
  tags?: readonly string[] | undefined;
}

/**
 * Pushes everything that a manifest names, and then the manifest, by its digest.
 *
 * @example
 * const index = indexOf([imageOf(), imageOf()]);
 * await pushContent(registry, 'library/example', index, { tags: ['v1', 'latest'] });
 */
export async function pushContent(
  registry: Registry,
  repository: string,
  manifest: TestManifest,
  options: PushContentOptions = {},
): Promise<PushedManifest> {
  for (const { descriptor, bytes } of manifest.blobs) await registry.pushBlob(repository, descriptor, bytes);
  for (const entry of manifest.manifests) await pushContent(registry, repository, entry);
  const { digest } = manifest.descriptor;
  return registry.pushManifest(repository, manifest.bytes, manifest.mediaType, { digest, tags: options.tags });
}

/**
 * Makes an image with random content and pushes it.
 *
 * @returns the image
 *
 * @example
 * const image = await pushImage(registry, 'library/example', { tags: ['latest'] });
 * await registry.resolveTag('library/example', 'latest'); // image.descriptor
 */
export async function pushImage(
  registry: Registry,
  repository: string,
  options: PushContentOptions & ImageOptions = {},
): Promise<TestManifest> {
  const image = imageOf(options);
  await pushContent(registry, repository, image, options);
  return image;
}
