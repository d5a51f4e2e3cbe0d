import type { PushedManifest, Registry } from '../../model/index.ts';

import { imageOf } from './manifests.ts';
import type { ImageOptions, TestManifest } from './manifests.ts';

export interface PushContentOptions {
  /** Tags of the manifest itself; what it names is pushed without any. */
  tags?: readonly string[] | undefined;
}

/** Pushes a manifest after everything that it names. */
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
 * Pushes an image of random content, for tests that need just any.
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
