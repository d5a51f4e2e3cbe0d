// Runs `ocikit history`: prints how the tags of a repository moved.
import { historyOf } from 'ocikit';
import type { TagMove } from 'ocikit';

import type { LayoutKind } from '../../options/layout-option.ts';
import { openRoot } from '../../options/root-directory.ts';
import type { RepositoryOrTag } from '../../options/tag-arguments.ts';
import { untilInterrupted } from '../../output/interruption.ts';
import { outputOf } from '../../output/results.ts';

/** The options of `ocikit history`. */
export interface HistoryFlags {
  limit?: number;
  json?: true;
  layout?: LayoutKind;
}

/** Prints the moves of a repository's tags, newest first. */
export async function runHistory(
  dir: string,
  { repository, tag }: RepositoryOrTag,
  flags: HistoryFlags,
): Promise<void> {
  const output = outputOf(flags);
  const registry = openRoot(dir, flags.layout, {
    warn: (line) => process.stderr.write(`warning: ${line}\n`),
    readOnly: true,
  });
  try {
    await untilInterrupted(async (signal) => {
      const moves = historyOf(registry)?.moves(repository, { tag, limit: flags.limit, signal }) ?? [];
      let count = 0;
      for await (const move of moves) {
        count++;
        const { digest = null, previous = null } = move;
        await output.write({ repository, ...move, digest, previous }, lineOf(repository, move));
      }
      // A list of tags rejects if the repository is unknown: its name may be mistyped.
      if (count === 0) for await (const _ of registry.tags(repository, { limit: 1, signal })) break;
    });
  } finally {
    await registry.close();
  }
}

function lineOf(repository: string, { tag, at, digest, previous, caller }: TagMove): string {
  const what = digest === undefined ? 'deleted' : previous === undefined ? `set to ${digest}` : `moved to ${digest}`;
  const from = previous === undefined ? '' : ` (was at ${previous})`;
  const by = caller === undefined ? '' : ` by ${caller}`;
  return `${at.toISOString()} ${repository}:${tag} ${what}${from}${by}`;
}
