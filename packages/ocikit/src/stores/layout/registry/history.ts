// The history of tags of a layout registry.
import { assertRepository, assertTag, limit as atMost } from '../../../model/index.ts';
import type { History, MovesOptions, TagMove } from '../../../model/index.ts';

import type { LayoutStore } from '../root/index.ts';

/** The history of tags of a layout registry. */
export function layoutHistory(store: LayoutStore): History {
  return {
    async *moves(repository, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      if (options.tag !== undefined) assertTag(options.tag);
      yield* atMost(newestFirst(repository, options), options.limit);
    },
  };

  async function* newestFirst(
    repository: string,
    { tag, signal }: MovesOptions,
  ): AsyncGenerator<TagMove, void, undefined> {
    store.assertOpen();
    for await (const record of store.movesOf(repository)) {
      signal?.throwIfAborted();
      if (record.repository !== repository || (tag ?? record.tag) !== record.tag) continue;
      const { at, previous, caller } = record.move;
      yield {
        tag: record.tag,
        at: new Date(at),
        digest: record.op === 'tag' ? record.digest : undefined,
        previous,
        ...(caller === undefined ? {} : { caller }),
      };
    }
  }
}
