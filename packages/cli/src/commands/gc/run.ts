import { setTimeout as delay } from 'node:timers/promises';

import { isRegistryError } from 'ocikit';
import { collectGarbage } from 'ocikit/upkeep';
import type { GarbageEvent, GarbageReport, Tally } from 'ocikit/upkeep';

import { openRoot } from '../../options/root-directory.ts';
import { untilInterrupted } from '../../output/interruption.ts';
import { formatBytes } from '../../output/log.ts';
import { outputOf } from '../../output/results.ts';
import type { Output } from '../../output/results.ts';

import type { GcFlags } from './command.ts';

export async function runGc(dir: string, flags: GcFlags): Promise<void> {
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
