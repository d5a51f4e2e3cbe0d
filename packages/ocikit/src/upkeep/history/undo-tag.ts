// Undoes the last move of a tag.
import { isRegistryError, RegistryError } from '../../model/index.ts';
import type { CallOptions, Digest, Registry, TagMove } from '../../model/index.ts';

import { requireHistory } from '../shared/index.ts';

import { currentDigest } from './tag-at.ts';

/** The outcome of an undo. */
export interface UndoneTag {
  /** The move that was undone. */
  move: TagMove;
  /** The tag's digest now; undefined if the tag was deleted, as it did not exist before the move. */
  digest: Digest | undefined;
}

/**
 * Undoes the last move of a tag: sets it to its former digest, creates it again if it was deleted, or deletes it if
 * it was new. An undo is a move too: a second undo restores the tag. If another client moves the tag during the undo,
 * the undo fails, provided that the registry supports `ifTag`.
 *
 * Rejects with
 *
 * - UNSUPPORTED: the registry has no history, or does not allow the tag to move
 * - MANIFEST_UNKNOWN: the history has no move of the tag, or the manifest of the former digest is gone
 * - PRECONDITION_FAILED: the tag does not have the digest of its last known move. Another client moves it right now, or
 *   another program moved it without the registry
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
      `${repository}:${tag} ${now === undefined ? 'does not exist' : `is ${now}`}, but its last known move ` +
        `${move.digest === undefined ? 'deleted it' : `set it to ${move.digest}`}: another client moved it`,
      { detail: { tag, found: now, expected: move.digest } },
    );
  }
  if (move.previous !== undefined) await setBack(registry, repository, move, move.previous, options);
  else if (now !== undefined) await registry.deleteTag(repository, tag, { ...options, ifTag: now });
  return { move, digest: move.previous };
}

async function lastMove(registry: Registry, repository: string, tag: string, options: CallOptions): Promise<TagMove> {
  for await (const move of requireHistory(registry).moves(repository, { ...options, tag, limit: 1 })) return move;
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
