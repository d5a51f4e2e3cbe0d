// The last known state of a layout, to compare an index with it that another tool wrote.
import type { Digest } from '../../../model/index.ts';

import type { LayoutRepository } from './layout-repository.ts';

/** A state of a layout: the one in memory, or what a snapshot says of it. */
export interface KnownState {
  /** The number of tags in all repositories. */
  readonly tags: number;
  /** True if the repository has the tag. */
  hasTag(repository: string, tag: string): boolean;
  /** True if the tag has this digest. */
  isAt(repository: string, tag: string, digest: Digest | undefined): boolean;
  /** True if the repository has the manifest. */
  hasManifest(repository: string, digest: Digest): boolean;
  /** The digest of a tag that changed lately; undefined if it was deleted. */
  digestOfTag(repository: string, tag: string): Digest | undefined;
}

/** The state in memory. */
export function knownStateOf(repositories: ReadonlyMap<string, LayoutRepository>): KnownState {
  const digestOfTag = (repository: string, tag: string): Digest | undefined =>
    repositories.get(repository)?.index.digestOfTag(tag);
  let tags = 0;
  for (const { index } of repositories.values()) tags += index.tagNames.size;
  return {
    tags,
    hasTag: (repository, tag) => digestOfTag(repository, tag) !== undefined,
    isAt: (repository, tag, digest) => digestOfTag(repository, tag) === digest,
    hasManifest: (repository, digest) => repositories.get(repository)?.index.manifests.has(digest) === true,
    digestOfTag,
  };
}
