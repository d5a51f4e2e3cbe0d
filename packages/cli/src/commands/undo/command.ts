import { Command } from 'commander';

import { layoutOption } from '../../options/layout-option.ts';
import type { LayoutKind } from '../../options/layout-option.ts';
import { parseTag } from '../../options/tag-arguments.ts';
import type { TagName } from '../../options/tag-arguments.ts';

export interface UndoFlags {
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
    .action(async (dir: string, tag: TagName, flags: UndoFlags) => (await import('./run.ts')).runUndo(dir, tag, flags));
}
