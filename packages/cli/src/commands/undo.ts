import { Command } from 'commander';
import { undoTag } from 'ocikit/upkeep';

import { untilInterrupted } from '../interruption.ts';
import { outputOf } from '../output.ts';
import { layoutOption, openRoot } from '../root-directory.ts';
import type { LayoutKind } from '../root-directory.ts';
import { parseTag } from '../tagged.ts';

interface UndoFlags {
  json?: true;
  layout?: LayoutKind;
}

export function undoCommand(): Command {
  return new Command('undo')
    .description('Take back the last move or deletion of a tag, in a directory that nobody serves.')
    .argument('<dir>', 'where the registry keeps everything')
    .argument('<repository:tag>', 'which tag', parseTag)
    .option('--json', 'a JSON object')
    .addOption(layoutOption())
    .addHelpText(
      'after',
      '\nThat is a move too: done twice, the tag is where it was. What garbage collection has removed does not come' +
        '\nback: ocikit gc --keep-history 7d leaves what tags were at.',
    )
    .action(runUndo);
}

async function runUndo(
  dir: string,
  { repository, tag }: { repository: string; tag: string },
  flags: UndoFlags,
): Promise<void> {
  const registry = openRoot(dir, flags.layout, (line) => process.stderr.write(`warning: ${line}\n`));
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
