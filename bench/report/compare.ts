import type { Results, Row } from '../results.ts';
import { best, ratio, summarize } from '../statistics.ts';
import type { Summary } from '../statistics.ts';
import type { System } from '../systems/system.ts';

/** One system's figure in a row. */
export interface Figure {
  readonly system: System;
  readonly summary: Summary;
}

/** How a system stands against the others in a row. */
export interface Comparison {
  readonly other: Figure;
  /** Above 1 it is better than the other. */
  readonly ratio: number;
}

/** What was measured in a row, and did not fail. */
export function figures(results: Results, row: Row, systems: readonly System[]): Figure[] {
  return systems.flatMap((system) => {
    const cell = results.find(row, system.name);
    if (cell === undefined || cell.failure !== undefined || cell.samples.length === 0) return [];
    return [{ system, summary: summarize(cell.samples) }];
  });
}

/** Against the best of the peers that keep everything on disk. */
export function againstDiskPeers(row: Row, figure: Figure, all: readonly Figure[]): Comparison | undefined {
  return against(
    row,
    figure,
    all.filter(({ system }) => system.kind === 'peer' && isOnDisk(row, system)),
  );
}

/** In a row that writes: against the best of the peers that synchronise what they acknowledge. */
export function againstSyncingPeers(row: Row, figure: Figure, all: readonly Figure[]): Comparison | undefined {
  return against(
    row,
    figure,
    all.filter(({ system }) => system.kind === 'peer' && system.syncs),
  );
}

/** Against the best of all peers, those in memory too. */
export function againstAllPeers(row: Row, figure: Figure, all: readonly Figure[]): Comparison | undefined {
  return against(
    row,
    figure,
    all.filter(({ system }) => system.kind === 'peer'),
  );
}

export function againstBare(row: Row, figure: Figure, all: readonly Figure[]): Comparison | undefined {
  return against(
    row,
    figure,
    all.filter(({ system }) => system.kind === 'bare'),
  );
}

function isOnDisk(row: Row, { medium }: System): boolean {
  return medium === 'disk' || (medium === 'blobs on disk' && row.onlyBlobs === true);
}

function against(row: Row, figure: Figure, others: readonly Figure[]): Comparison | undefined {
  const other = best(others, row.better);
  if (other === undefined) return undefined;
  return { other, ratio: ratio(figure.summary.median, other.summary.median, row.better) };
}
