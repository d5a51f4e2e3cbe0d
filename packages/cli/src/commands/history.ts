import { Command } from 'commander';
import { historyOf } from 'ocikit';
import type { TagMove } from 'ocikit';

import { untilInterrupted } from '../interruption.ts';
import { outputOf } from '../output.ts';
import { layoutOption, openRoot } from '../root-directory.ts';
import type { LayoutKind } from '../root-directory.ts';
import { parseCount, parseTagged } from '../tagged.ts';
import type { Tagged } from '../tagged.ts';

interface HistoryFlags {
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
    .action(runHistory);
}

async function runHistory(dir: string, { repository, tag }: Tagged, flags: HistoryFlags): Promise<void> {
  const output = outputOf(flags);
  const registry = openRoot(dir, flags.layout, (line) => process.stderr.write(`warning: ${line}\n`));
  try {
    await untilInterrupted(async (signal) => {
      const moves = historyOf(registry)?.moves(repository, { tag, limit: flags.limit, signal }) ?? [];
      for await (const move of moves) {
        const { digest = null, previous = null } = move;
        await output.write({ repository, ...move, digest, previous }, lineOf(repository, move));
      }
    });
  } finally {
    await registry.close();
  }
}

function lineOf(repository: string, { tag, at, digest, previous, caller }: TagMove): string {
  const what = digest === undefined ? 'deleted' : previous === undefined ? `set to ${digest}` : `moved to ${digest}`;
  const from = previous === undefined ? '' : ` (was at ${previous})`;
  const who = caller === undefined ? '' : ` by ${caller}`;
  return `${at.toISOString()} ${repository}:${tag} ${what}${from}${who}`;
}
