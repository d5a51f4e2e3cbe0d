import { isRegistryError } from '../../model/index.ts';
import type { CallOptions, Digest, Registry } from '../../model/index.ts';

import { remembered } from '../shared/index.ts';

import { movedSince } from './moved-tags.ts';

/**
 * Where a tag was at a time. What the registry has forgotten, or did not do itself, counts as never done: then the oldest
 * state that it knows of is given.
 *
 * Rejects with UNSUPPORTED if the registry has no history.
 *
 * @returns undefined if it did not exist
 * @example const yesterday = await tagAt(registry, 'team/app', 'latest', new Date(Date.now() - 24 * 60 * 60 * 1000));
 */
export async function tagAt(
  registry: Registry,
  repository: string,
  tag: string,
  time: Date,
  options: CallOptions = {},
): Promise<Digest | undefined> {
  // First where it is now: who moves it meanwhile is seen below.
  const now = await currentDigest(registry, repository, tag, options);
  const moved = await movedSince(remembered(registry), repository, time, { ...options, tag });
  return moved.has(tag) ? moved.get(tag) : now;
}

/** Undefined if the tag does not exist. */
export async function currentDigest(
  registry: Registry,
  repository: string,
  tag: string,
  options: CallOptions,
): Promise<Digest | undefined> {
  try {
    return (await registry.resolveTag(repository, tag, options)).digest;
  } catch (error) {
    if (isRegistryError(error, 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN')) return undefined;
    throw error;
  }
}
