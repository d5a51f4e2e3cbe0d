// The arguments and help of `ocikit retain`.
import { Command } from 'commander';

import { layoutOption } from '../../options/layout-option.ts';

import type { RetainFlags } from './run.ts';

export function retainCommand(): Command {
  return new Command('retain')
    .description('Delete the tags and untagged manifests that rules do not keep, from a directory that no server uses.')
    .argument('<dir>', 'the directory of the registry')
    .requiredOption('--rules <file>', 'the file with the rules, in JSON')
    .option('--dry-run', 'list what would be deleted and delete nothing')
    .option('--json', 'print one JSON object per line; the last one is the report')
    .addOption(layoutOption())
    .addHelpText(
      'after',
      '\nAn example of rules:\n' +
        '  { "tags": [{ "repositories": ["team/**"], "tags": ["pr-*"], "keep": { "last": 10, "usedWithin": "14d" } }],\n' +
        '    "untagged": [{ "keepUsedWithin": "7d" }] }\n' +
        'Rules do not apply to signatures and other tags such as sha256-<hex>.sig: these stay as long as their image.\n' +
        'Exit code 1: a repository could not be read, and was skipped.\n' +
        'Afterwards ocikit gc removes content that no tag reaches any more.',
    )
    .action(async (dir: string, flags: RetainFlags) => (await import('./run.ts')).runRetain(dir, flags));
}
