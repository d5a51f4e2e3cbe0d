/**
 * Runs something after so many milliseconds. Where timers keep a process running, this one does not.
 *
 * @returns what takes it back
 */
export function later(milliseconds: number, run: () => void): () => void {
  const timer = setTimeout(run, milliseconds);
  if (typeof timer === 'object') timer.unref();
  return () => clearTimeout(timer);
}

/** Lets everybody else who waits for a turn have one. */
export function giveWay(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 0);
  });
}
