// The results of a run, by row and system.
import type { Better } from './statistics.ts';

export type Unit = '/s' | 'GB/s' | 'ms' | 'MiB' | '×';

/** One row of the report: one thing that is measured. */
export interface Row {
  /** The name for `--only`. */
  readonly id: string;
  readonly title: string;
  readonly unit: Unit;
  readonly better: Better;
  /** True if the row writes. It then matters which systems sync. */
  readonly writes?: boolean;
  /** True if the row uses blobs alone. A system with only its blobs on disk then counts as one on disk. */
  readonly onlyBlobs?: boolean;
}

/** The measurements of one system in one row. */
export interface Cell {
  /** One value for each round. */
  readonly samples: number[];
  /** The largest share of one processor that the generator used; 0 if unknown. */
  busy: number;
  /** The program that generated the load; undefined if there was none. */
  generator?: string;
  /** The reason for a missing figure that is expected: the system does not support the row. */
  absent?: string;
  /** The reason for a missing figure that is a failure. */
  failure?: string;
}

/** All measurements of a run. */
export class Results {
  readonly #cells = new Map<string, Map<string, Cell>>();

  cell(row: Row, system: string): Cell {
    let cells = this.#cells.get(row.id);
    if (cells === undefined) this.#cells.set(row.id, (cells = new Map<string, Cell>()));
    let cell = cells.get(system);
    if (cell === undefined) cells.set(system, (cell = { samples: [], busy: 0 }));
    return cell;
  }

  /** Returns the cell of a system; undefined if the system takes no part in this row. */
  find(row: Row, system: string): Cell | undefined {
    return this.#cells.get(row.id)?.get(system);
  }

  has(row: Row): boolean {
    return this.#cells.has(row.id);
  }
}
