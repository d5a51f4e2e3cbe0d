// One measurement: one system in one round of one kind of work.
import { join } from 'node:path';

import { Connection } from './load/connection.ts';
import { header } from './load/answers.ts';
import type { Answer } from './load/answers.ts';
import type { Load } from './load/closed-loop.ts';
import { JobError } from './load/generator.ts';
import type { Generator } from './load/generator.ts';
import type { Commands } from './commands/commands.ts';
import type { JobName, JobOptions, Request } from './load/jobs.ts';
import { beginUpload } from './load/pushing.ts';
import { askWithWrk } from './load/wrk.ts';
import { bringMemory } from './machine.ts';
import type { Results, Row } from './results.ts';
import type { Scratch } from './scratch.ts';
import { settle } from './scratch.ts';
import type { Settings } from './settings.ts';
import { runMeasured, start } from './systems/running.ts';
import type { Ended, Running, StartOptions } from './systems/running.ts';
import type { Certificate, Copying, Download, System } from './systems/system.ts';

/** Rows that are measured together, on what was pushed for them once. */
export interface Work {
  readonly name: string;
  rows(settings: Settings): readonly Row[];
  /** Returns true if a system takes part in this work. */
  concerns(system: System): boolean;
  /** The most rounds of this work; undefined: as many as the run has. */
  readonly rounds?: number;
  /** Runs one round of one system, in a fresh directory. */
  run(bench: Bench): Promise<void>;
}

/** A measured value, and the load on this machine while it was measured. */
export interface Measured {
  readonly value: number;
  readonly busy?: number;
  readonly generator?: string;
}

/** Thrown if a system does not support a row. The message says why. */
export class Absent extends Error {}

/** Things that all rounds share. */
export interface Equipment {
  readonly settings: Settings;
  readonly results: Results;
  readonly generator: Generator;
  /** A second generator, for probes beside the load of the first one. */
  readonly prober: Generator;
  /** Returns the certificate of this run. */
  certificate(): Promise<Certificate>;
  /** The real clients, with their daemons. */
  readonly commands: Commands;
  readonly scratch: Scratch;
  /** Undefined if wrk is not installed. */
  readonly wrk: string | undefined;
  /** Path of each system's program, by the name of the system. */
  readonly programs: ReadonlyMap<string, string>;
  wanted(row: Row): boolean;
  /** The time of `performance.now()` after which no new measurement starts. */
  readonly until: number;
}

/** One system in one round of one work. */
export class Bench {
  readonly system: System;
  readonly settings: Settings;
  readonly #equipment: Equipment;
  readonly #directory: string;
  #running: Running | undefined;
  #isSecure = false;

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

  /** Starts the system, the first time in an empty directory. Returns the milliseconds until its first answer. */
  async start(options: StartOptions = {}): Promise<number> {
    this.#running = await start(this.system, this.#program, this.#directory, options);
    this.#isSecure = options.certificate !== undefined;
    return this.#running.startMilliseconds;
  }

  /** Kills the system as a crash would. */
  async kill(): Promise<void> {
    await this.#running?.kill();
    this.#running = undefined;
  }

  get #program(): string {
    return this.#equipment.programs.get(this.system.name) ?? '';
  }

  /** The certificate for a start with TLS. */
  certificate(): Promise<Certificate> {
    return this.#equipment.certificate();
  }

  /** The real clients of this machine. */
  get commands(): Commands {
    return this.#equipment.commands;
  }

  async stop(): Promise<void> {
    await this.#running?.stop();
    this.#running = undefined;
  }

  /** Copies an image with the system, which has to be one that copies. */
  copy(copying: Omit<Copying, 'program'>): Promise<Ended> {
    const command = this.system.copy?.({ program: this.#program, ...copying });
    if (command === undefined) throw new Error(`${this.system.name} copies nothing`);
    return runMeasured(command);
  }

  /** Downloads a blob with the system, which has to be one that downloads. */
  download(download: Omit<Download, 'program'>): Promise<Ended> {
    const command = this.system.download?.({ program: this.#program, ...download });
    if (command === undefined) throw new Error(`${this.system.name} downloads nothing`);
    return runMeasured(command);
  }

  /** Returns true if one of these rows has to be measured. Content for them is pushed only then. */
  wants(...rows: readonly Row[]): boolean {
    return rows.some((row) => this.#equipment.wanted(row));
  }

  /**
   * Measures one row, after all earlier writes have reached the disk. A failure is recorded in the row.
   *
   * @param writes bytes that the row writes, if they are so many that the host's free memory matters
   */
  async measure(row: Row, measurement: () => Promise<Measured>, writes: number = 0): Promise<void> {
    if (!this.wants(row)) return;
    const cell = this.#equipment.results.cell(row, this.system.name);
    if (cell.absent !== undefined) return;
    if (performance.now() > this.#equipment.until) {
      if (cell.samples.length === 0) cell.absent = 'no time left';
      return;
    }
    await settle(this.settings);
    try {
      if (writes > 0 && !this.settings.quick) await bringMemory(2 * writes);
      const { value, busy = 0, generator } = await measurement();
      cell.samples.push(value);
      cell.busy = Math.max(cell.busy, busy);
      if (generator !== undefined) cell.generator = generator;
    } catch (error) {
      if (error instanceof Absent) cell.absent = error.message;
      else cell.failure ??= (error as Error).message;
    }
  }

  /** Records a value that was measured already, if the row is wanted. */
  async record(row: Row, value: number): Promise<void> {
    await this.measure(row, () => Promise.resolve({ value }));
  }

  settle(): Promise<void> {
    return settle(this.settings);
  }

  /** Returns the highest memory use of the server since its start. */
  async measureMemory(row: Row): Promise<void> {
    const peak = await this.#server.peakMemory();
    await this.measure(row, () => {
      if (peak === undefined) throw new Absent('this system does not tell');
      return Promise.resolve({ value: peak });
    });
  }

  /** Runs a job that is not measured. */
  async prepare<Name extends JobName>(name: Name, options: JobOptions<Name>): Promise<Load> {
    return this.#equipment.generator.run(name, options);
  }

  /** Runs a job in a second process, beside those of the generator. */
  async beside<Name extends JobName>(name: Name, options: JobOptions<Name>): Promise<Load> {
    return this.#equipment.prober.run(name, options);
  }

  /** Measures how many steps of a job are done in a second. */
  async rate<Name extends JobName>(name: Name, options: JobOptions<Name>): Promise<Measured> {
    return perSecond(await this.#equipment.generator.run(name, options), 'own');
  }

  /**
   * Measures how many times a request is answered in a second. One answer is inspected before.
   *
   * @param inspect returns the problem of that answer
   */
  async askRate(request: Request, inspect: Inspect): Promise<Measured> {
    await this.check(request, inspect);
    const { connections, seconds, warmUp } = this.settings;
    const options = { port: this.port, connections, seconds, warmUp, secure: this.#isSecure, ...request };
    const { wrk, generator, scratch } = this.#equipment;
    // Do not use wrk for HEAD: it waits for a body, which the answer does not have.
    if (wrk === undefined || request.method === 'HEAD') return perSecond(await generator.run('ask', options), 'own');
    const load = await askWithWrk(wrk, join(scratch.directory, 'wrk.lua'), { ...options, method: 'GET' });
    return perSecond(load, 'wrk');
  }

  /** Starts an upload. Returns the path and the query of the PUT that commits it. */
  async beginUpload(repository: string, digest: string): Promise<string> {
    const connection = await Connection.open(this.port, this.#isSecure);
    try {
      return await beginUpload(connection, repository, digest);
    } finally {
      connection.close();
    }
  }

  /** Inspects the answer for the first path. */
  async check(request: Request, inspect: Inspect): Promise<void> {
    const connection = await Connection.open(this.port, this.#isSecure);
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

/** Returns the problem of an answer with the status 200; undefined if there is none. */
export type Inspect = (answer: Answer) => string | undefined;

/** Checks that the body has this many bytes, or that an answer to HEAD announces them. */
export function bodyOf(length: number): Inspect {
  return ({ head, body }) => {
    const said = body.length > 0 ? body.length : Number(header(head, 'content-length'));
    return said === length ? undefined : `${said} bytes instead of ${length}`;
  };
}

/** Checks that the answer is a JSON object with this many entries in the list of this name. */
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

/** Turns an answer with one of these statuses into {@link Absent}: the system does not support the request. */
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
