// A promise whose caller stops waiting when a signal is aborted.
import { onAbort } from '../model/index.ts';

/**
 * Waits for a promise until the signal is aborted, and then rejects with the signal's reason. The work behind the
 * promise continues.
 */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const forget = onAbort(signal, () => reject(signal.reason));
    promise.then(resolve, reject).then(forget, forget);
    if (signal.aborted) reject(signal.reason);
  });
}
