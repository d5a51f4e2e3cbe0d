import { setTimeout as delay } from 'node:timers/promises';

import { Command } from 'commander';
import { isRegistryError } from 'ocikit';
import { collectGarbage } from 'ocikit/upkeep';
import type { GarbageEvent, GarbageReport, Tally } from 'ocikit/upkeep';

import { graceOption, parseDuration } from '../durations.ts';
import { untilInterrupted } from '../interruption.ts';
import { formatBytes } from '../log.ts';
import { outputOf } from '../output.ts';
import type { Output } from '../output.ts';
import { layoutOption, openRoot } from '../root-directory.ts';
import type { LayoutKind } from '../root-directory.ts';

interface GcFlags {
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
    .action(runGc);
}

async function runGc(dir: string, flags: GcFlags): Promise<void> {
  const output = outputOf(flags);
  const registry = openRoot(dir, flags.layout, (line) => process.stderr.write(`warning: ${line}\n`));
  try {
    await registry.own().catch((error: unknown) => {
      throw inUse(dir, error);
    });
    // After a crash everything counts as used at this moment, which is to be over if there is no time of grace.
    await delay(5);
    await untilInterrupted(async (signal) => {
      const lines = new Lines(output, flags);
      const report = await collectGarbage(registry, {
        gracePeriod: flags.grace,
        untagged: flags.keepUntagged === true ? 'keep' : 'remove',
        dangling: flags.keepDangling === true ? 'keep' : 'remove',
        keepHistory: flags.keepHistory,
        dryRun: flags.dryRun === true,
        signal,
        onEvent: (event) => lines.add(event),
      });
      await lines.written;
      await output.write({ type: 'report', ...report }, summaryOf(report));
    });
  } finally {
    await registry.close();
  }
}

function inUse(dir: string, error: unknown): unknown {
  if (!isRegistryError(error, 'UNAVAILABLE')) return error;
  return new Error(`${error.message}. To collect garbage while ${dir} is served: ocikit serve --gc 1h`, {
    cause: error,
  });
}

/** What is said of each event, one after another. */
class Lines {
  readonly #output: Output;
  readonly #flags: GcFlags;
  written: Promise<void> = Promise.resolve();

  constructor(output: Output, flags: GcFlags) {
    this.#output = output;
    this.#flags = flags;
  }

  add(event: GarbageEvent): void {
    const line = lineOf(event, this.#flags);
    if (line === undefined) return;
    this.written = this.written.then(() => this.#output.write(event, line));
  }
}

function lineOf(event: GarbageEvent, { dryRun, json }: GcFlags): string | undefined {
  if (event.type === 'skipped') {
    return `skipped ${event.repository}: its manifest ${event.digest} is ${event.state}, and may name anything (ocikit check says more)`;
  }
  if (event.type !== 'garbage' || (dryRun !== true && json !== true)) return undefined;
  const place = event.repository === undefined ? event.digest : `${event.repository}@${event.digest}`;
  return `would remove the ${event.kind} ${place} (${formatBytes(event.size)})`;
}

/** For a person. */
export function summaryOf({ dryRun, manifests, blobs, orphans, skipped, repositories }: GarbageReport): string {
  const parts = [counted(manifests, 'manifest'), counted(blobs, 'blob')];
  if (orphans.count > 0) parts.push(counted(orphans, 'orphan'));
  const size = manifests.size + blobs.size + orphans.size;
  const where = `of ${plural(repositories, 'repository', 'repositories')}`;
  const left = skipped === 0 ? '' : `; skipped ${skipped}`;
  return `${dryRun ? 'would remove' : 'removed'} ${parts.join(', ')} (${formatBytes(size)}) ${where}${left}`;
}

function counted({ count }: Tally, what: string): string {
  return plural(count, what, `${what}s`);
}

function plural(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
