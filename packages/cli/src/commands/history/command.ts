import { Command } from 'commander';

import { layoutOption } from '../../options/layout-option.ts';
import type { LayoutKind } from '../../options/layout-option.ts';
import { parseCount, parseTagged } from '../../options/tag-arguments.ts';
import type { Tagged } from '../../options/tag-arguments.ts';

export interface HistoryFlags {
  limit?: number;
  json?: true;
  layout?: LayoutKind;
}

export function historyCommand(): Command {
  return new Command('history')
    .description("Tell how a repository's tags moved, newest first, also while the directory is served.")
    .argument('<dir>', 'where the registry keeps everything')
    .argument('<repository[:tag]>', 'whose tags, or which one', parseTagged)
    .option('--limit <n>', 'at most so many moves', parseCount)
    .option('--json', 'a JSON object on each line')
    .addOption(layoutOption())
    .addHelpText('after', '\nMoves that other tools make in index.json are not known. To take one back: ocikit undo')
    .action(async (dir: string, tagged: Tagged, flags: HistoryFlags) =>
      (await import('./run.ts')).runHistory(dir, tagged, flags),
    );
}
