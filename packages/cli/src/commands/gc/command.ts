import { Command } from 'commander';

import { graceOption, parseDuration } from '../../options/durations.ts';
import { layoutOption } from '../../options/layout-option.ts';
import type { LayoutKind } from '../../options/layout-option.ts';

export interface GcFlags {
  grace: number;
  keepUntagged?: true;
  keepDangling?: true;
  keepHistory: number;
  dryRun?: true;
  json?: true;
  layout?: LayoutKind;
}

export function gcCommand(): Command {
  return new Command('gc')
    .description('Remove what no tag reaches from a directory that nobody serves.')
    .argument('<dir>', 'where the registry keeps everything')
    .addOption(graceOption('--grace <duration>', 'leave what was pushed or used so lately'))
    .option('--keep-untagged', 'leave manifests without a tag, for those who pull by digest')
    .option('--keep-dangling', 'leave manifests whose subject is not there')
    .option('--keep-history <duration>', 'leave what tags were at so lately, for ocikit undo', parseDuration, 0)
    .option('--dry-run', 'say what would go, and remove nothing')
    .option('--json', 'a JSON object on each line; the last one is the report')
    .addOption(layoutOption())
    .addHelpText(
      'after',
      '\nAfter a crash everything counts as used when the directory is opened, so it goes after the time of grace.' +
        '\nA running server collects by itself: ocikit serve --gc 1h',
    )
    .action(async (dir: string, flags: GcFlags) => (await import('./run.ts')).runGc(dir, flags));
}
