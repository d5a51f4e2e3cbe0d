import { Command } from 'commander';
import { applyRetention } from 'ocikit/upkeep';
import type { RetentionEvent } from 'ocikit/upkeep';

import { untilInterrupted } from '../interruption.ts';
import { outputOf } from '../output.ts';
import { readRetentionFile } from '../retention-file.ts';
import { layoutOption, openRoot } from '../root-directory.ts';
import type { LayoutKind } from '../root-directory.ts';

interface RetainFlags {
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
    .action(runRetain);
}

async function runRetain(dir: string, flags: RetainFlags): Promise<void> {
  const rules = await readRetentionFile(flags.rules);
  const output = outputOf(flags);
  const registry = openRoot(dir, flags.layout, (line) => process.stderr.write(`warning: ${line}\n`));
  try {
    await registry.own();
    await untilInterrupted(async (signal) => {
      let written = Promise.resolve();
      const report = await applyRetention(registry, rules, {
        dryRun: flags.dryRun === true,
        signal,
        onEvent: (event) => {
          const line = lineOf(event, flags);
          written = written.then(() => output.write({ type: 'step', ...event }, line));
        },
      });
      await written;
      const done = flags.dryRun === true ? 'would delete' : 'deleted';
      const summary = `${done} ${report.tags} tags and ${report.manifests.count} untagged manifests; ${report.kept} are in use by now`;
      await output.write({ type: 'report', ...report }, summary);
    });
  } finally {
    await registry.close();
  }
}

function lineOf({ step, outcome }: RetentionEvent, { dryRun }: RetainFlags): string {
  const what = step.type === 'tag' ? `${step.repository}:${step.tag}` : `${step.repository}@${step.digest}`;
  const notes = step.type === 'tag' ? `at ${step.digest}, last used ${step.usedAt}` : 'untagged';
  if (outcome === 'done') return `${dryRun === true ? 'would delete' : 'deleted'} ${what} (${notes})`;
  return `${outcome === 'kept' ? 'kept, as it is in use by now:' : 'was gone already:'} ${what}`;
}
