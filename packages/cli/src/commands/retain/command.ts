import { Command } from 'commander';

import { layoutOption } from '../../options/layout-option.ts';
import type { LayoutKind } from '../../options/layout-option.ts';

export interface RetainFlags {
  rules: string;
  dryRun?: true;
  json?: true;
  layout?: LayoutKind;
}

export function retainCommand(): Command {
  return new Command('retain')
    .description('Delete the tags and untagged manifests that rules do not keep, from a directory that nobody serves.')
    .argument('<dir>', 'where the registry keeps everything')
    .requiredOption('--rules <file>', 'the rules, in JSON')
    .option('--dry-run', 'say what would go, and delete nothing')
    .option('--json', 'a JSON object on each line; the last one is the report')
    .addOption(layoutOption())
    .addHelpText(
      'after',
      '\nAn example of rules:\n' +
        '  { "tags": [{ "repositories": ["team/**"], "tags": ["pr-*"], "keep": { "last": 10, "usedWithin": "14d" } }],\n' +
        '    "untagged": [{ "keepUsedWithin": "7d" }] }\n' +
        'ocikit gc then removes what is no longer reached.',
    )
    .action(async (dir: string, flags: RetainFlags) => (await import('./run.ts')).runRetain(dir, flags));
}
