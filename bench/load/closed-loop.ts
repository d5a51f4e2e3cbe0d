// A closed loop of load: each connection starts its next step when its last one is done.
import { Connection } from './connection.ts';
import type { Answer } from './answers.ts';

/** The outcome of a load. */
export interface Load {
  /** Number of steps, and the seconds they took together, without the warm-up. */
  readonly done: number;
  readonly seconds: number;
  /** Share of one processor that this process used, from 0 to about 1 (Node has other threads). */
  readonly busy: number;
  /** Number of wrong answers. */
  readonly errors: number;
  readonly firstError?: string;
  /** Milliseconds of the slowest answer, if the job measures it. */
  readonly worst?: number;
}

export interface LoopOptions {
  readonly port: number;
  /** Number of connections. */
  readonly connections: number;
  /** Seconds of warm-up, which are not measured: servers compile code and fill caches meanwhile. */
  readonly warmUp: number;
  readonly seconds: number;
  /** True for TLS. Default: false. */
  readonly secure?: boolean;
}

/** Does one step of a load. It throws if an answer is wrong. */
export type Step = (connection: Connection, number: number, connectionNumber: number) => Promise<void>;

/** Repeats a step over several connections for a time. Each step gets its own number. */
export async function loopFor(options: LoopOptions, step: Step): Promise<Load> {
  const started = performance.now();
  const measureFrom = started + options.warmUp * 1000;
  const until = measureFrom + options.seconds * 1000;
  let next = 0;
  let done = 0;
  let errors = 0;
  let firstError: string | undefined;
  let start: { time: number; cpu: NodeJS.CpuUsage; done: number } | undefined;

  await overConnections(options, async (connection, connectionNumber) => {
    for (;;) {
      const now = performance.now();
      if (now >= until) return;
      if (start === undefined && now >= measureFrom) start = { time: now, cpu: process.cpuUsage(), done };
      try {
        await step(connection, next++, connectionNumber);
        done += 1;
      } catch (error) {
        errors += 1;
        firstError ??= (error as Error).message;
        if (!(error instanceof WrongAnswer)) return;
      }
    }
  });

  const end = performance.now();
  // All connections may have broken during the warm-up.
  const from = start ?? { time: end, cpu: process.cpuUsage(), done };
  const seconds = (end - from.time) / 1000;
  return {
    done: done - from.done,
    seconds,
    busy: busySince(from.cpu, seconds),
    errors,
    ...(firstError && { firstError }),
  };
}

/** Does all steps of a range of numbers, and fails at the first wrong answer. */
export async function loopThrough(
  options: { readonly port: number; readonly connections: number; readonly first: number; readonly count: number },
  step: Step,
): Promise<Load> {
  const end = options.first + options.count;
  const cpu = process.cpuUsage();
  const started = performance.now();
  let next = options.first;
  await overConnections(options, async (connection, connectionNumber) => {
    while (next < end) await step(connection, next++, connectionNumber);
  });
  const seconds = (performance.now() - started) / 1000;
  return { done: options.count, seconds, busy: busySince(cpu, seconds), errors: 0 };
}

export function busySince(start: NodeJS.CpuUsage, seconds: number): number {
  const { user, system } = process.cpuUsage(start);
  return seconds === 0 ? 0 : (user + system) / 1e6 / seconds;
}

export class WrongAnswer extends Error {
  readonly status: number;

  constructor(request: string, answer: Answer) {
    super(`${request}: ${answer.head.split('\r\n')[0] ?? ''} ${answer.body.subarray(0, 300).toString()}`.trimEnd());
    this.status = answer.status;
  }
}

/** Sends a request, and rejects with {@link WrongAnswer} unless the answer has the status. */
export async function expectStatus(
  status: number,
  connection: Connection,
  requestLine: string,
  headers?: string,
  body?: Uint8Array,
): Promise<Answer> {
  const answer = await connection.send(requestLine, headers, body);
  if (answer.status !== status) throw new WrongAnswer(requestLine, answer);
  return answer;
}

async function overConnections(
  { port, connections, secure }: { readonly port: number; readonly connections: number; readonly secure?: boolean },
  use: (connection: Connection, number: number) => Promise<void>,
): Promise<void> {
  const open: Connection[] = [];
  try {
    for (let i = 0; i < connections; i += 1) open.push(await Connection.open(port, secure));
    await Promise.all(open.map(use));
  } finally {
    for (const connection of open) connection.close();
  }
}
