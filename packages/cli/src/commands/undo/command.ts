// The arguments and help of `ocikit undo`.
import { Command } from 'commander';

import { layoutOption } from '../../options/layout-option.ts';
import { parseTag } from '../../options/tag-arguments.ts';
import type { TagName } from '../../options/tag-arguments.ts';

import type { UndoFlags } from './run.ts';

export function undoCommand(): Command {
  return new Command('undo')
    .description('Take back the last move or deletion of a tag, in a directory that no server uses.')
    .argument('<dir>', 'the directory of the registry')
    .argument('<repository:tag>', 'the tag', parseTag)
    .option('--json', 'print a JSON object')
    .addOption(layoutOption())
    .addHelpText(
      'after',
      '\nAn undo is a move too, so a second one restores the tag. Content that garbage collection has removed does not' +
        '\ncome back; ocikit gc --keep-history 7d keeps content that tags pointed to.',
    )
    .action(async (dir: string, tag: TagName, flags: UndoFlags) => (await import('./run.ts')).runUndo(dir, tag, flags));
}
