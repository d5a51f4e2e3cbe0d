// A reader of a blob that is still being downloaded.
import { isRegistryError } from '../../../model/index.ts';
import type { OnTransferEvent, ResolvedRange } from '../../../model/index.ts';

import type { Fill } from './fill.ts';

/** The caller of a follower. */
export interface FollowerOptions {
  /** The repository's name for the caller. */
  repository: string;
  /** Ends the reading. */
  signal: AbortSignal | undefined;
  /** Called with the reader's progress. */
  onEvent: OnTransferEvent | undefined;
  /** Called when the reader has ended. */
  onClose: () => void;
  /** Whether it only looks at the pieces. Otherwise it may keep and change them. */
  how: 'lent' | undefined;
}

/**
 * Reads a blob, or a part of it, while it is being downloaded. The lent pieces of all readers that keep pace are the
 * same memory, so a further reader costs neither a copy nor a read of the store.
 */
export async function* follow(
  fill: Fill,
  range: ResolvedRange,
  { repository, signal, onEvent, onClose, how }: FollowerOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const tell = (type: 'started' | 'done'): void =>
    onEvent?.({ type, repository, digest: fill.descriptor.digest, size: fill.descriptor.size });
  let position = range.start;
  let hasFoundBlob = false;
  try {
    tell('started');
    while (position < range.end) {
      await fill.until(position, signal);
      try {
        for await (const piece of piecesAt(fill, position, range.end, how)) {
          position += piece.length;
          const { digest, size } = fill.descriptor;
          onEvent?.({ type: 'bytes', repository, digest, size, transferred: position - range.start });
          if (position === range.end) tell('done');
          yield piece;
        }
      } catch (error) {
        // The upload has become the blob meanwhile: read the blob.
        if (hasFoundBlob || !isRegistryError(error, 'BLOB_UNKNOWN', 'BLOB_UPLOAD_UNKNOWN')) throw error;
        const outcome = await fill.ended;
        if (outcome.type !== 'kept') throw outcome.error;
        hasFoundBlob = true;
      }
    }
  } finally {
    onClose();
  }
}

/** Pieces from a position on, before `end`, that can be read now. More may follow. */
async function* piecesAt(
  fill: Fill,
  start: number,
  end: number,
  how: 'lent' | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const recent = fill.recent(start, end);
  if (recent === undefined) yield* await fill.read(start, end);
  else yield how === 'lent' ? recent : recent.slice();
}
