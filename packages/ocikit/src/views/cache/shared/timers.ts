/**
 * Runs a function after this many milliseconds. The timer does not keep the process running.
 *
 * @returns cancels it
 */
export function later(milliseconds: number, run: () => void): () => void {
  const timer = setTimeout(run, milliseconds);
  if (typeof timer === 'object') timer.unref();
  return () => clearTimeout(timer);
}

/** Gives other work that waits a turn. */
export function giveWay(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 0);
  });
}
