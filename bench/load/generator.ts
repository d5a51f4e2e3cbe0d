// The load generator as the benchmark sees it.
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import type { Load } from './closed-loop.ts';
import type { JobName, JobOptions } from './jobs.ts';
import type { JobMessage, ResultMessage } from './messages.ts';

/** A job that failed. */
export class JobError extends Error {
  /** The status of the wrong answer, if a wrong answer was the reason. */
  readonly status: number | undefined;

  constructor(message: string, status: number | undefined) {
    super(message);
    this.status = status;
  }
}

/** The load generator, in a process of its own, so that generating load does not slow the benchmark. */
export class Generator {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (load: Load) => void; reject: (error: Error) => void }>();
  #jobs = 0;

  constructor() {
    this.#child = fork(fileURLToPath(new URL('generator-process.js', import.meta.url)));
    this.#child.on('message', (message) => this.#settle(message as ResultMessage));
    this.#child.on('exit', (code, signal) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`the generator ended: ${code ?? signal}`));
      this.#waiting.clear();
    });
  }

  run<Name extends JobName>(name: Name, options: JobOptions<Name>): Promise<Load> {
    const message: JobMessage = { id: ++this.#jobs, name, options };
    return new Promise((resolve, reject) => {
      this.#waiting.set(message.id, { resolve, reject });
      this.#child.send(message, (error) => {
        if (error !== null) reject(error);
      });
    });
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }

  #settle({ id, load, error, status }: ResultMessage): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (load === undefined) waiting?.reject(new JobError(error ?? 'failed without a reason', status));
    else waiting?.resolve(load);
  }
}
