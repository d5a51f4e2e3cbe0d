import { historyOf, RegistryError } from '../model/index.ts';
import type { CallOptions, Digest, History, Registry } from '../model/index.ts';

/** @throws RegistryError UNSUPPORTED if the registry does not know how its tags moved */
export function remembered(registry: Registry): History {
  const found = historyOf(registry);
  if (found !== undefined) return found;
  throw new RegistryError(
    'UNSUPPORTED',
    'this registry has no history of its tags: ask the one that keeps its content',
  );
}

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
