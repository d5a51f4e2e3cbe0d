// The report as Markdown tables.
import { readFile, writeFile } from 'node:fs/promises';

import type { Results, Row } from '../results.ts';
import type { Settings } from '../settings.ts';
import type { System } from '../systems/system.ts';
import { againstAllPeers, againstDiskPeers, againstSyncingPeers, figures } from './compare.ts';
import type { Comparison } from './compare.ts';
import type { Circumstances } from './json.ts';
import { describeUnit, formatComparison, formatNumber, formatSpread } from './format.ts';

const begin = '<!-- table -->';
const end = '<!-- /table -->';

/** Returns the tables for a document: one of servers, one of programs that copy. */
export function markdownTables(rows: readonly Row[], systems: readonly System[], results: Results): string {
  const copies = (system: System): boolean => system.copy !== undefined;
  return [systems.filter((system) => !copies(system)), systems.filter(copies)]
    .map((group) => ({ group, own: rows.filter((row) => group.some(({ name }) => results.find(row, name))) }))
    .filter(({ own }) => own.length > 0)
    .map(({ group, own }) => markdownTable(own, group, results))
    .join('\n');
}

/** Returns one table for a document: a line for each row, a column for each system. */
export function markdownTable(rows: readonly Row[], systems: readonly System[], results: Results): string {
  const shown = rows.filter((row) => results.has(row));
  const columns = systems.filter((system) => shown.some((row) => results.find(row, system.name) !== undefined));
  const subjects = columns.filter((system) => system.kind === 'ocikit' && system.medium === 'disk');
  const heading = [
    '',
    'unit',
    ...columns.map(({ name }) => name),
    ...subjects.map(({ name }) => `${name}: to the best peers`),
  ];
  const lines = shown.map((row) => {
    const all = figures(results, row, systems);
    const cells = columns.map((system) => cellText(row, system, results));
    const ratios = subjects.map((system) => {
      const figure = all.find((candidate) => candidate.system === system);
      if (figure === undefined || row.unit === '×') return '';
      const syncing = row.writes === true && system.syncs;
      const first = syncing ? againstSyncingPeers(row, figure, all) : againstDiskPeers(row, figure, all);
      return [ratioTo(syncing ? 'syncing' : 'disk', first), ratioTo('any', againstAllPeers(row, figure, all))]
        .filter((text) => text !== '')
        .join('; ');
    });
    return [row.title, describeUnit(row.unit)].concat(cells, ratios);
  });
  return `${[heading, heading.map((_, i) => (i < 2 ? '---' : '--:')), ...lines].map(line).join('\n')}\n`;
}

/** Returns the date, the machine and the programs of a run as a list. */
export function markdownCircumstances({ date, machine, programs }: Circumstances, { rounds }: Settings): string {
  const versions = programs.flatMap(({ name, version }) => (version === undefined ? [] : [`${name} (${version})`]));
  const lines = [
    `${date.slice(0, 10)}, ${rounds === 1 ? 'one round' : `${rounds} rounds: **median** and the lowest and highest`}`,
    ...machine,
    versions.join('; '),
  ];
  return `${lines.map((text) => `- ${text}`).join('\n')}\n`;
}

/** Writes a table between the marks of a document. A missing document, or one without marks, becomes the table. */
export async function writeMarkdown(file: string, table: string): Promise<void> {
  const old = await readFile(file, 'utf8').catch(() => '');
  const [from, to] = [old.indexOf(begin), old.indexOf(end)];
  const text = from === -1 || to < from ? table : `${old.slice(0, from + begin.length)}\n\n${table}\n${old.slice(to)}`;
  await writeFile(file, text);
}

function cellText(row: Row, system: System, results: Results): string {
  const cell = results.find(row, system.name);
  if (cell === undefined) return '';
  if (cell.failure !== undefined) return 'failed';
  const [figure] = figures(results, row, [system]);
  if (figure === undefined) return cell.absent ?? '';
  const spread = formatSpread(figure.summary);
  return spread === '' ? formatNumber(figure.summary.median) : `**${formatNumber(figure.summary.median)}** ${spread}`;
}

function ratioTo(whom: string, comparison: Comparison | undefined): string {
  return comparison === undefined ? '' : `${whom} ${formatComparison(comparison)} ${comparison.other.system.name}`;
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
