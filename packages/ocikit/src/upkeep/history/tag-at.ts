// Finds the digest that a tag had at an earlier time.
import { isRegistryError } from '../../model/index.ts';
import type { CallOptions, Digest, Registry } from '../../model/index.ts';

import { requireHistory } from '../shared/index.ts';

import { tagsMovedSince } from './moved-tags.ts';

/**
 * Gives the digest that a tag had at an earlier time. Moves that the registry has forgotten, or that another program
 * made, are unknown: before the first known move, the tag counts as unmoved.
 *
 * Rejects with UNSUPPORTED if the registry has no history.
 *
 * @returns undefined if the tag did not exist
 * @example const yesterday = await tagAt(registry, 'team/app', 'latest', new Date(Date.now() - 24 * 60 * 60 * 1000));
 */
export async function tagAt(
  registry: Registry,
  repository: string,
  tag: string,
  time: Date,
  options: CallOptions = {},
): Promise<Digest | undefined> {
  // Read the current digest before the moves: a move in between is then among the moves.
  const now = await currentDigest(registry, repository, tag, options);
  const moved = await tagsMovedSince(requireHistory(registry), repository, time, { ...options, tag });
  return moved.has(tag) ? moved.get(tag) : now;
}

/** Gives the digest that a tag has now; undefined if the tag does not exist. */
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
