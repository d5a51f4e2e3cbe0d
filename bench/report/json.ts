// The report as JSON.
import type { Results, Row } from '../results.ts';
import type { Settings } from '../settings.ts';
import { summarize } from '../statistics.ts';
import type { System } from '../systems/system.ts';
import { againstAllPeers, againstBare, againstDiskPeers, againstSyncingPeers, figures } from './compare.ts';
import type { Comparison } from './compare.ts';

/** The machine and the programs of a run. */
export interface Circumstances {
  readonly date: string;
  readonly machine: readonly string[];
  readonly programs: readonly { readonly name: string; readonly version?: string; readonly missing?: string }[];
}

/** Returns all measurements and their summaries. */
export function jsonReport(
  circumstances: Circumstances,
  settings: Settings,
  rows: readonly Row[],
  systems: readonly System[],
  results: Results,
): string {
  const shown = rows.filter((row) => results.has(row));
  const report = { ...circumstances, settings, rows: shown.map((row) => rowReport(row, systems, results)) };
  // JSON has no Infinity: write `none` for no limit.
  return `${JSON.stringify(report, (_, value: unknown) => (value === Infinity ? 'none' : value), 2)}\n`;
}

function rowReport(row: Row, systems: readonly System[], results: Results): unknown {
  const all = figures(results, row, systems);
  const measured = systems.flatMap((system) => {
    const cell = results.find(row, system.name);
    if (cell === undefined) return [];
    const figure = all.find((candidate) => candidate.system === system);
    if (figure === undefined || system.kind !== 'ocikit') {
      return [{ system: system.name, ...cell, ...(cell.samples.length > 0 && summarize(cell.samples)) }];
    }
    const ratios = {
      diskPeers: ratioTo(againstDiskPeers(row, figure, all)),
      ...(row.writes === true && { syncingPeers: ratioTo(againstSyncingPeers(row, figure, all)) }),
      all: ratioTo(againstAllPeers(row, figure, all)),
      bare: ratioTo(againstBare(row, figure, all)),
    };
    return [{ system: system.name, ...cell, ...figure.summary, ratios }];
  });
  return { ...row, systems: measured };
}

function ratioTo(comparison: Comparison | undefined): unknown {
  if (comparison === undefined) return undefined;
  const { other, ratio, bounds } = comparison;
  return { to: other.system.name, ratio, ...(bounds && { low: bounds.low, high: bounds.high }) };
}
