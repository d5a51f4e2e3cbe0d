// Runs `ocikit gc`: collects garbage in a directory and reports the result.
import { setTimeout as delay } from 'node:timers/promises';

import { isRegistryError } from 'ocikit';
import { collectGarbage } from 'ocikit/upkeep';
import type { GarbageEvent, GarbageReport, Tally } from 'ocikit/upkeep';

import type { LayoutKind } from '../../options/layout-option.ts';
import { openRoot } from '../../options/root-directory.ts';
import { untilInterrupted } from '../../output/interruption.ts';
import { formatBytes } from '../../output/log.ts';
import { outputOf } from '../../output/results.ts';
import type { Output } from '../../output/results.ts';

/** The options of `ocikit gc`. */
export interface GcFlags {
  grace: number;
  keepUntagged?: true;
  keepDangling?: true;
  keepHistory: number;
  dryRun?: true;
  json?: true;
  layout?: LayoutKind;
}

/** Collects garbage in a directory that no server uses. */
export async function runGc(dir: string, flags: GcFlags): Promise<void> {
  const output = outputOf(flags);
  const registry = openRoot(dir, flags.layout, {
    warn: (line) => process.stderr.write(`warning: ${line}\n`),
    readOnly: flags.dryRun === true,
  });
  try {
    if (flags.dryRun !== true) {
      await registry.own().catch((error: unknown) => {
        throw inUse(dir, error);
      });
    }
    // After a crash all content counts as used now. Let that moment pass, so that `--grace 0` removes it.
    await delay(5);
    await untilInterrupted(async (signal) => {
      const lines = new EventLines(output, flags);
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
      if (lines.hasFailure) process.exitCode = 1;
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

/** Prints a line for each event, in order. */
class EventLines {
  readonly #output: Output;
  readonly #flags: GcFlags;
  /** Resolves when every line has been written. */
  written: Promise<void> = Promise.resolve();
  /** True if a repository could not be collected. */
  hasFailure = false;

  constructor(output: Output, flags: GcFlags) {
    this.#output = output;
    this.#flags = flags;
  }

  add(event: GarbageEvent): void {
    this.hasFailure ||= event.type === 'failed';
    const line = lineOf(event, this.#flags);
    if (line === undefined) return;
    this.written = this.written.then(() => this.#output.write(event, line));
  }
}

function lineOf(event: GarbageEvent, { dryRun, json }: GcFlags): string | undefined {
  if (event.type === 'skipped') {
    return `skipped ${event.repository}: its manifest ${event.digest} is ${event.state}, so its references are unknown (ocikit check tells more)`;
  }
  if (event.type === 'failed') {
    return `skipped ${event.repository ?? 'content of no repository'}: ${event.reason}`;
  }
  if (event.type === 'untagged' && dryRun === true) {
    return `would remove the tag ${event.repository}:${event.tag}: the manifest that it belongs to is gone`;
  }
  if (event.type === 'untagged' && json === true) return event.tag;
  if (event.type !== 'garbage' || (dryRun !== true && json !== true)) return undefined;
  const place = event.repository === undefined ? event.digest : `${event.repository}@${event.digest}`;
  return `would remove the ${event.kind} ${place} (${formatBytes(event.size)})`;
}

/** The report as one line of text. */
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
