import { isRegistryError, RegistryError } from '../../model/index.ts';
import type { CallOptions, Digest, Registry, TagMove } from '../../model/index.ts';

import { remembered } from '../shared/index.ts';

import { currentDigest } from './tag-at.ts';

/** What an undo has done to a tag. */
export interface UndoneTag {
  /** The move that was taken back. */
  move: TagMove;
  /** Where the tag is now; undefined: it did not exist before the move, and is deleted. */
  digest: Digest | undefined;
}

/**
 * Takes back the last move of a tag: sets it to where it was, makes it again if it was deleted, deletes it if it was new. That is a
 * move too: done twice, the tag is where it was. Nobody can come between, where the registry has `ifTag`.
 *
 * Rejects with
 *
 * - UNSUPPORTED: the registry has no history, or does not let the tag be moved
 * - MANIFEST_UNKNOWN: no move of the tag is known, or the content that it was at is gone
 * - PRECONDITION_FAILED: the tag is elsewhere than its last known move says, as somebody moves it just now or has moved it
 *   without the registry
 *
 * @example await undoTag(registry, 'team/app', 'latest');
 */
export async function undoTag(
  registry: Registry,
  repository: string,
  tag: string,
  options: CallOptions = {},
): Promise<UndoneTag> {
  const move = await lastMove(registry, repository, tag, options);
  const now = await currentDigest(registry, repository, tag, options);
  if (now !== move.digest) {
    throw new RegistryError(
      'PRECONDITION_FAILED',
      `${repository}:${tag} is ${now === undefined ? 'gone' : `at ${now}`}, and its last known move says otherwise`,
      { detail: { tag, found: now, expected: move.digest } },
    );
  }
  if (move.previous !== undefined) await setBack(registry, repository, move, move.previous, options);
  else if (now !== undefined) await registry.deleteTag(repository, tag, { ...options, ifTag: now });
  return { move, digest: move.previous };
}

async function lastMove(registry: Registry, repository: string, tag: string, options: CallOptions): Promise<TagMove> {
  for await (const move of remembered(registry).moves(repository, { ...options, tag, limit: 1 })) return move;
  throw new RegistryError('MANIFEST_UNKNOWN', `no move of ${repository}:${tag} is known`, { detail: { tag } });
}

async function setBack(
  registry: Registry,
  repository: string,
  { tag, digest: now = null }: { tag: string; digest?: Digest | null | undefined },
  previous: Digest,
  options: CallOptions,
): Promise<void> {
  try {
    const { bytes, descriptor } = await registry.getManifest(repository, previous, options);
    const push = { ...options, digest: previous, tags: [tag], ifTag: now };
    await registry.pushManifest(repository, bytes, descriptor.mediaType, push);
  } catch (error) {
    if (!isRegistryError(error, 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN', 'MANIFEST_BLOB_UNKNOWN')) throw error;
    throw new RegistryError(
      'MANIFEST_UNKNOWN',
      `${repository}:${tag} cannot be set back to ${previous}: its content is gone`,
      { detail: { tag, digest: previous }, cause: error },
    );
  }
}
