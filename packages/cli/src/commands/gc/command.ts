// The arguments and help of `ocikit gc`.
import { Command } from 'commander';

import { graceOption, parseDuration } from '../../options/durations.ts';
import { layoutOption } from '../../options/layout-option.ts';

import type { GcFlags } from './run.ts';

export function gcCommand(): Command {
  return new Command('gc')
    .description('Remove content that no tag reaches from a directory that no server uses.')
    .argument('<dir>', 'the directory of the registry')
    .addOption(graceOption('--grace <duration>', 'keep content pushed or used within this time'))
    .option('--keep-untagged', 'keep untagged manifests, for clients that pull by digest')
    .option('--keep-dangling', 'keep manifests whose subject is missing')
    .option(
      '--keep-history <duration>',
      'keep content that a tag pointed to within this time, for ocikit undo',
      parseDuration,
      0,
    )
    .option('--dry-run', 'list the garbage and remove nothing')
    .option('--json', 'print one JSON object per line; the last one is the report')
    .addOption(layoutOption())
    .addHelpText(
      'after',
      '\nExit code 1: a repository could not be read, and was skipped; the others were collected.' +
        '\nAfter a crash all content counts as used at the moment the directory is opened: garbage goes after --grace.' +
        '\nA running server collects its own garbage: ocikit serve --gc 1h',
    )
    .action(async (dir: string, flags: GcFlags) => (await import('./run.ts')).runGc(dir, flags));
}
