// Comparing the figures of the systems.
import type { Results, Row } from '../results.ts';
import { best, boundsOfRatio, ratio, summarize } from '../statistics.ts';
import type { Bounds, Summary } from '../statistics.ts';
import type { System } from '../systems/system.ts';

/** The figure of one system in a row. */
export interface Figure {
  readonly system: System;
  readonly summary: Summary;
  /** The measurements, in the order of the rounds. */
  readonly samples: readonly number[];
}

/** A comparison of one system with another one in a row. */
export interface Comparison {
  readonly other: Figure;
  /**
   * Above 1 if the system is better than the other one: the geometric mean of the ratios of all rounds, or the ratio of
   * the medians if the systems have fewer than two rounds in common.
   */
  readonly ratio: number;
  /** Undefined with fewer than two rounds. */
  readonly bounds: Bounds | undefined;
}

/** Returns the figures of a row, without failed ones. */
export function figures(results: Results, row: Row, systems: readonly System[]): Figure[] {
  return systems.flatMap((system) => {
    const cell = results.find(row, system.name);
    if (cell === undefined || cell.failure !== undefined || cell.samples.length === 0) return [];
    return [{ system, summary: summarize(cell.samples), samples: cell.samples }];
  });
}

/** Compares with the best peer that keeps everything on disk. */
export function againstDiskPeers(row: Row, figure: Figure, all: readonly Figure[]): Comparison | undefined {
  return against(
    row,
    figure,
    all.filter(({ system }) => system.kind === 'peer' && isOnDisk(row, system)),
  );
}

/** In a row that writes, compares with the best peer that syncs before it acknowledges. */
export function againstSyncingPeers(row: Row, figure: Figure, all: readonly Figure[]): Comparison | undefined {
  return against(
    row,
    figure,
    all.filter(({ system }) => system.kind === 'peer' && system.syncs),
  );
}

/** Compares with the best of all peers, in memory too. */
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
  const bounds = boundsOfRatio(figure.samples, other.samples, row.better);
  return { other, ratio: bounds?.mean ?? ratio(figure.summary.median, other.summary.median, row.better), bounds };
}
