// The report as text for a terminal.
import type { Results, Row } from '../results.ts';
import type { System } from '../systems/system.ts';
import { againstAllPeers, againstBare, againstDiskPeers, againstSyncingPeers, figures } from './compare.ts';
import type { Comparison, Figure } from './compare.ts';
import { describeUnit, formatComparison, formatNumber, formatSpread } from './format.ts';

/** Returns the table for a terminal: a block for each row, with a line for each system. */
export function textTable(rows: readonly Row[], systems: readonly System[], results: Results): string {
  return rows
    .filter((row) => results.has(row))
    .map((row) => block(row, systems, results))
    .join('\n');
}

function block(row: Row, systems: readonly System[], results: Results): string {
  const all = figures(results, row, systems);
  const heading = `${row.title} [${describeUnit(row.unit)}, ${row.better} is better]  (${row.id})`;
  const lines = systems.flatMap((system) => {
    const cell = results.find(row, system.name);
    if (cell === undefined) return [];
    const name = `  ${system.name.padEnd(18)}`;
    if (cell.failure !== undefined) return [`${name}FAILED: ${cell.failure}`];
    const figure = all.find((candidate) => candidate.system === system);
    if (figure === undefined) return [`${name}${cell.absent ?? 'nothing was measured'}`];
    const { summary } = figure;
    const numbers = `${formatNumber(summary.median).padStart(8)}  ${formatSpread(summary).padEnd(14)}`;
    const load = cell.busy === 0 ? '' : `  generator ${Math.round(cell.busy * 100)} % busy`;
    return [`${name}${numbers} ${comparisons(row, figure, all)}${load}`.trimEnd()];
  });
  return `${[heading, ...lines].join('\n')}\n`;
}

function comparisons(row: Row, figure: Figure, all: readonly Figure[]): string {
  if (figure.system.kind !== 'ocikit' || row.unit === '×') return '';
  return [
    ratioTo('best disk peer', againstDiskPeers(row, figure, all)),
    row.writes === true && figure.system.syncs ? ratioTo('best that syncs', againstSyncingPeers(row, figure, all)) : '',
    ratioTo('best peer', againstAllPeers(row, figure, all)),
    ratioTo('bare', againstBare(row, figure, all)),
  ]
    .filter((text) => text !== '')
    .join(', ');
}

function ratioTo(what: string, comparison: Comparison | undefined): string {
  if (comparison === undefined) return '';
  const { other } = comparison;
  const who = other.system.kind === 'bare' ? '' : ` (${other.system.name})`;
  return `${formatComparison(comparison)} ${what}${who}`;
}
