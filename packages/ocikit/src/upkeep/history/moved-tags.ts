// Reads from the history which tags have moved since a time.
import type { CallOptions, Digest, History } from '../../model/index.ts';

/** Gives the tags that have moved since a time, with their digests at that time: undefined if a tag did not exist. */
export async function tagsMovedSince(
  history: History,
  repository: string,
  time: Date,
  options: CallOptions & { tag?: string | undefined },
): Promise<Map<string, Digest | undefined>> {
  const before = new Map<string, Digest | undefined>();
  for await (const { tag, at, previous } of history.moves(repository, options)) {
    if (at.getTime() <= time.getTime()) break;
    before.set(tag, previous);
  }
  return before;
}
