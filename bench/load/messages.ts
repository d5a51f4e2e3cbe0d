// Messages between the benchmark and its load generator.
import type { Load } from './closed-loop.ts';

/** A job to do. */
export interface JobMessage {
  readonly id: number;
  readonly name: string;
  readonly options: unknown;
}

/** The outcome of a job. */
export interface ResultMessage {
  readonly id: number;
  readonly load?: Load;
  readonly error?: string;
  /** The status of the answer that was wrong. */
  readonly status?: number;
}
