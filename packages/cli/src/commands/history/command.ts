// The arguments and help of `ocikit history`.
import { Command } from 'commander';

import { layoutOption } from '../../options/layout-option.ts';
import { parseCount, parseRepositoryOrTag } from '../../options/tag-arguments.ts';
import type { RepositoryOrTag } from '../../options/tag-arguments.ts';

import type { HistoryFlags } from './run.ts';

export function historyCommand(): Command {
  return new Command('history')
    .description("Show how a repository's tags moved, newest first, also while the directory is served.")
    .argument('<dir>', 'the directory of the registry')
    .argument('<repository[:tag]>', 'the repository, or one of its tags', parseRepositoryOrTag)
    .option('--limit <n>', 'show at most this number of moves', parseCount)
    .option('--json', 'print one JSON object per line')
    .addOption(layoutOption())
    .addHelpText(
      'after',
      '\nMoves that other tools make in index.json are not recorded. To take a move back: ocikit undo',
    )
    .action(async (dir: string, about: RepositoryOrTag, flags: HistoryFlags) =>
      (await import('./run.ts')).runHistory(dir, about, flags),
    );
}
