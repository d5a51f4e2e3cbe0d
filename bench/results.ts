import type { Better } from './statistics.ts';

export type Unit = '/s' | 'GB/s' | 'ms' | 'MiB' | '×';

/** One thing that is measured. */
export interface Row {
  /** For `--only`. */
  readonly id: string;
  readonly title: string;
  readonly unit: Unit;
  readonly better: Better;
  /** Whether it writes: whether a system synchronises matters then. */
  readonly writes?: boolean;
  /** Whether it is about blobs alone: a system that has only those on disk counts as one on disk then. */
  readonly onlyBlobs?: boolean;
}

/** What one system did in one row. */
export interface Cell {
  /** One for each round. */
  readonly samples: number[];
  /** The largest share of one processor that the generator needed; 0 where it is not known. */
  busy: number;
  /** Who made the load; undefined where there was none. */
  generator?: string;
  /** Why there is no figure, and need not be: the system cannot do this. */
  absent?: string;
  /** Why there is no figure, and should be. */
  failure?: string;
}

/** All that was measured, by row and system. */
export class Results {
  readonly #cells = new Map<string, Map<string, Cell>>();

  cell(row: Row, system: string): Cell {
    let cells = this.#cells.get(row.id);
    if (cells === undefined) this.#cells.set(row.id, (cells = new Map<string, Cell>()));
    let cell = cells.get(system);
    if (cell === undefined) cells.set(system, (cell = { samples: [], busy: 0 }));
    return cell;
  }

  /** Undefined if the system had nothing to do in this row. */
  find(row: Row, system: string): Cell | undefined {
    return this.#cells.get(row.id)?.get(system);
  }

  has(row: Row): boolean {
    return this.#cells.has(row.id);
  }
}
