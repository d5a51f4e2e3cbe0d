// Runs `ocikit retain`: deletes tags and untagged manifests by rules.
import { applyRetention } from 'ocikit/upkeep';
import type { RetentionEvent } from 'ocikit/upkeep';

import type { LayoutKind } from '../../options/layout-option.ts';
import { openRoot } from '../../options/root-directory.ts';
import { untilInterrupted } from '../../output/interruption.ts';
import { outputOf } from '../../output/results.ts';

import { readRetentionFile } from './rules-file.ts';

/** The options of `ocikit retain`. */
export interface RetainFlags {
  rules: string;
  dryRun?: true;
  json?: true;
  layout?: LayoutKind;
}

/** Applies the rules of a file to a directory that no server uses. */
export async function runRetain(dir: string, flags: RetainFlags): Promise<void> {
  const rules = await readRetentionFile(flags.rules);
  const output = outputOf(flags);
  const registry = openRoot(dir, flags.layout, {
    warn: (line) => process.stderr.write(`warning: ${line}\n`),
    readOnly: flags.dryRun === true,
  });
  try {
    if (flags.dryRun !== true) await registry.own();
    await untilInterrupted(async (signal) => {
      let written = Promise.resolve();
      const report = await applyRetention(registry, rules, {
        dryRun: flags.dryRun === true,
        signal,
        onWarning: (message) => process.stderr.write(`warning: ${message}\n`),
        onFailure: ({ repository, error }) => {
          const reason = error instanceof Error ? error.message : String(error);
          written = written.then(() =>
            output.write({ type: 'failed', repository, reason }, `skipped ${repository}: ${reason}`),
          );
          process.exitCode = 1;
        },
        onEvent: (event) => {
          const line = lineOf(event, flags);
          written = written.then(() => output.write({ type: 'step', ...event }, line));
        },
      });
      await written;
      const done = flags.dryRun === true ? 'would delete' : 'deleted';
      const summary = `${done} ${report.tags} tags and ${report.manifests.count} untagged manifests; kept ${report.kept} that are in use by now`;
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
  return `${outcome === 'kept' ? 'kept, in use by now:' : 'already gone:'} ${what}`;
}
