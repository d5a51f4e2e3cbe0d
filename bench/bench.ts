import { join } from 'node:path';

import { Connection } from './load/connection.ts';
import { header } from './load/answers.ts';
import type { Answer } from './load/answers.ts';
import type { Load } from './load/closed-loop.ts';
import { JobError } from './load/generator.ts';
import type { Generator } from './load/generator.ts';
import type { JobName, JobOptions, Request } from './load/jobs.ts';
import { askWithWrk } from './load/wrk.ts';
import { bringMemory } from './machine.ts';
import type { Results, Row } from './results.ts';
import type { Scratch } from './scratch.ts';
import { settle } from './scratch.ts';
import type { Settings } from './settings.ts';
import { runMeasured, start } from './systems/running.ts';
import type { Ended, Running } from './systems/running.ts';
import type { Copying, System } from './systems/system.ts';

/** Rows that are measured together, on what was pushed for them once. */
export interface Work {
  readonly name: string;
  rows(settings: Settings): readonly Row[];
  /** Whether a system has anything to do here. */
  concerns(system: System): boolean;
  /** What one system does in one round, in a fresh directory. */
  run(bench: Bench): Promise<void>;
}

/** What a system was measured to do, and what that took here. */
export interface Measured {
  readonly value: number;
  readonly busy?: number;
  readonly generator?: string;
}

/** Thrown where a system cannot do what a row asks for; says why. */
export class Absent extends Error {}

/** What all rounds share. */
export interface Equipment {
  readonly settings: Settings;
  readonly results: Results;
  readonly generator: Generator;
  readonly scratch: Scratch;
  /** Undefined if it is not there. */
  readonly wrk: string | undefined;
  /** Where each system's program is, by name. */
  readonly programs: ReadonlyMap<string, string>;
  wanted(row: Row): boolean;
  /** `performance.now()` at which nothing new begins. */
  readonly until: number;
}

/** One system in one round of one work. */
export class Bench {
  readonly system: System;
  readonly settings: Settings;
  readonly #equipment: Equipment;
  readonly #directory: string;
  #running: Running | undefined;

  constructor(equipment: Equipment, system: System, work: string) {
    this.system = system;
    this.settings = equipment.settings;
    this.#equipment = equipment;
    this.#directory = equipment.scratch.newPath(`${work}-${system.name}`);
  }

  get port(): number {
    return this.#server.port;
  }

  get #server(): Running {
    if (this.#running === undefined) throw new Error(`${this.system.name} is not running`);
    return this.#running;
  }

  get scratch(): Scratch {
    return this.#equipment.scratch;
  }

  /** Starts the system, the first time in an empty directory. Gives the milliseconds to its first answer. */
  async start(): Promise<number> {
    const program = this.#equipment.programs.get(this.system.name) ?? '';
    this.#running = await start(this.system, program, this.#directory);
    return this.#running.startMilliseconds;
  }

  async stop(): Promise<void> {
    await this.#running?.stop();
    this.#running = undefined;
  }

  /** Lets the system, which is one that copies, copy an image. */
  copy(copying: Omit<Copying, 'program'>): Promise<Ended> {
    const program = this.#equipment.programs.get(this.system.name) ?? '';
    const command = this.system.copy?.({ program, ...copying });
    if (command === undefined) throw new Error(`${this.system.name} copies nothing`);
    return runMeasured(command);
  }

  /** Whether any of these rows is to be measured: what they need is pushed only then. */
  wants(...rows: readonly Row[]): boolean {
    return rows.some((row) => this.#equipment.wanted(row));
  }

  /**
   * Measures one row, once what was done before it has reached the disk. A failure is the row's, and goes no further.
   *
   * @param writes bytes that are going to be written, if they are so many that it matters where the memory for them is
   */
  async measure(row: Row, measurement: () => Promise<Measured>, writes: number = 0): Promise<void> {
    if (!this.wants(row)) return;
    const cell = this.#equipment.results.cell(row, this.system.name);
    if (cell.absent !== undefined) return;
    if (performance.now() > this.#equipment.until) {
      if (cell.samples.length === 0) cell.absent = 'no time left';
      return;
    }
    await settle(this.settings.pause);
    try {
      if (writes > 0) await bringMemory(2 * writes);
      const { value, busy = 0, generator } = await measurement();
      cell.samples.push(value);
      cell.busy = Math.max(cell.busy, busy);
      if (generator !== undefined) cell.generator = generator;
    } catch (error) {
      if (error instanceof Absent) cell.absent = error.message;
      else cell.failure ??= (error as Error).message;
    }
  }

  /** Records what was measured already, if the row is wanted. */
  async record(row: Row, value: number): Promise<void> {
    await this.measure(row, () => Promise.resolve({ value }));
  }

  settle(): Promise<void> {
    return settle(this.settings.pause);
  }

  /** The most memory that the server has had since it was started. */
  async measureMemory(row: Row): Promise<void> {
    const peak = await this.#server.peakMemory();
    await this.measure(row, () => {
      if (peak === undefined) throw new Absent('this system does not tell');
      return Promise.resolve({ value: peak });
    });
  }

  /** Does a job that is not measured. */
  async prepare<Name extends JobName>(name: Name, options: JobOptions<Name>): Promise<Load> {
    return this.#equipment.generator.run(name, options);
  }

  /** How often a job's step is done in a second. */
  async rate<Name extends JobName>(name: Name, options: JobOptions<Name>): Promise<Measured> {
    return perSecond(await this.#equipment.generator.run(name, options), 'own');
  }

  /**
   * How often a request is answered in a second. Before that it is answered once, and looked at.
   *
   * @param inspect Says what is wrong with that answer.
   */
  async askRate(request: Request, inspect: Inspect): Promise<Measured> {
    await this.check(request, inspect);
    const { connections, seconds, warmUp } = this.settings;
    const options = { port: this.port, connections, seconds, warmUp, ...request };
    const { wrk, generator, scratch } = this.#equipment;
    // wrk waits for the body that a HEAD's answer does not have.
    if (wrk === undefined || request.method === 'HEAD') return perSecond(await generator.run('ask', options), 'own');
    const load = await askWithWrk(wrk, join(scratch.directory, 'wrk.lua'), { ...options, method: 'GET' });
    return perSecond(load, 'wrk');
  }

  /** Looks at one answer: at the first path's. */
  async check(request: Request, inspect: Inspect): Promise<void> {
    const connection = await Connection.open(this.port);
    try {
      const line = `${request.method} ${request.paths[0] ?? ''}`;
      const answer = await connection.send(line, request.headers);
      const { status, body } = answer;
      if (status !== 200) throw new JobError(`${line}: HTTP ${status} ${body.subarray(0, 300).toString()}`, status);
      const wrong = inspect(answer);
      if (wrong !== undefined) throw new Error(`${line}: ${wrong}`);
    } finally {
      connection.close();
    }
  }
}

/** Says what is wrong with an answer whose status is 200; undefined if nothing is. */
export type Inspect = (answer: Answer) => string | undefined;

/** The answer has a body of so many bytes, or says so after HEAD. */
export function bodyOf(length: number): Inspect {
  return ({ head, body }) => {
    const said = body.length > 0 ? body.length : Number(header(head, 'content-length'));
    return said === length ? undefined : `${said} bytes instead of ${length}`;
  };
}

/** The answer is a JSON object, and the list under this name has so many entries, as they were asked for. */
export function entriesIn(name: string, count: number): Inspect {
  return ({ body }) => {
    const found = (JSON.parse(body.toString()) as Record<string, unknown>)[name];
    const length = Array.isArray(found) ? found.length : undefined;
    // An empty list may be null.
    if ((length ?? 0) === count) return undefined;
    if (count > 0 && length !== undefined && length > count) throw new Absent(`no pages: it gives ${length} ${name}`);
    return `${length ?? 'no'} ${name} instead of ${count}`;
  };
}

/** Makes a refusal mean that the system has no such thing, if it is one of these. */
export async function unlessUnsupported<T>(statuses: readonly number[], attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    const status = error instanceof JobError ? error.status : undefined;
    if (status !== undefined && statuses.includes(status)) throw new Absent(`not supported (${status})`);
    throw error;
  }
}

function perSecond(load: Load, generator: string): Measured {
  if (load.errors > 0) {
    throw new Error(`${load.errors} of ${load.done + load.errors} answers were wrong; the first: ${load.firstError}`);
  }
  if (load.done === 0) throw new Error('nothing was answered');
  return { value: load.done / load.seconds, busy: load.busy, generator };
}
