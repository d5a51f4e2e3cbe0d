// The deadline of a stop: a server that cannot finish ends all the same, and says what it was waiting for.
import { spawn } from 'node:child_process';

/** Milliseconds after the signal within which running requests may finish. Then their connections are cut. */
export const graceForRequests = 8000;
/** Milliseconds after the signal at which the process ends, whatever still runs. */
export const mostToStop = 10_000;

/** The effects of a {@link StopDeadline} that passes. */
export interface StopDeadlineOptions {
  /** Takes the message. */
  write: (line: string) => void;
  /** Ends the process with a code. */
  exit: (code: number) => void;
}

/** Ends the process if a stop takes too long. It is begun by the signal and ended by the last step. */
export class StopDeadline {
  readonly #options: StopDeadlineOptions;
  #step = 'starting to stop';
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: StopDeadlineOptions) {
    this.#options = options;
  }

  /** Starts the clock. */
  begin(): void {
    this.#timer = setTimeout(() => {
      const { write, exit } = this.#options;
      write(`ocikit did not stop within ${mostToStop / 1000} s and ends now: it was still ${this.#step}\n`);
      exit(1);
    }, mostToStop);
  }

  /**
   * Names the step that comes next.
   *
   * @param step as text after "it was still"
   */
  enter(step: string): void {
    this.#step = step;
  }

  /** Lets the process end by itself, after the last step. The clock runs on only while something keeps it alive. */
  end(): void {
    this.#step = 'waiting for a file or connection that nothing uses';
    this.#timer?.unref();
  }
}

/** In Node from 22.15, not on Windows. It ends all threads of the process, and puts another program in its place. */
type Execve = (file: string, args: string[], env: Record<string, string>) => void;

/**
 * Ends the process at once. Node waits for its threads before it exits, and a thread that hangs in the file system
 * never returns. The program that replaces this one has no such thread, and exits with the code. In an older Node,
 * another process kills this one if it still exists after a second: its code is then 137 in a shell.
 */
export function exitAtOnce(code: number): void {
  const { execve } = process as { execve?: Execve };
  if (execve !== undefined) {
    execve.call(process, process.execPath, [process.execPath, '-e', `process.exit(${code})`], {});
    return;
  }
  const killer = spawn('/bin/sh', ['-c', `sleep 1; kill -KILL ${process.pid}`], { detached: true, stdio: 'ignore' });
  // Without a shell nothing can be done about a hanging thread.
  killer.on('error', () => undefined);
  killer.unref();
  process.exit(code);
}
