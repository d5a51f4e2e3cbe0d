// Runs `ocikit undo`: takes back the last move of a tag.
import { undoTag } from 'ocikit/upkeep';

import type { LayoutKind } from '../../options/layout-option.ts';
import { openRoot } from '../../options/root-directory.ts';
import type { TagName } from '../../options/tag-arguments.ts';
import { untilInterrupted } from '../../output/interruption.ts';
import { outputOf } from '../../output/results.ts';

/** The options of `ocikit undo`. */
export interface UndoFlags {
  json?: true;
  layout?: LayoutKind;
}

/** Takes back the last move of a tag in a directory that no server uses. */
export async function runUndo(dir: string, { repository, tag }: TagName, flags: UndoFlags): Promise<void> {
  const registry = openRoot(dir, flags.layout, {
    warn: (line) => process.stderr.write(`warning: ${line}\n`),
    readOnly: false,
  });
  try {
    await registry.own();
    await untilInterrupted(async (signal) => {
      const { digest, move } = await undoTag(registry, repository, tag, { signal });
      const now = digest === undefined ? 'is deleted, as it did not exist before' : `is at ${digest} again`;
      const was = move.digest === undefined ? '' : ` (was at ${move.digest})`;
      const value = { repository, tag, digest: digest ?? null, previous: move.digest ?? null };
      await outputOf(flags).write(value, `${repository}:${tag} ${now}${was}`);
    });
  } finally {
    await registry.close();
  }
}
