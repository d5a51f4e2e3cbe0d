import type { CallOptions, Digest, History } from '../../model/index.ts';

/** Where tags were at a time that have moved since. What is not in it has been where it is. */
export async function movedSince(
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
