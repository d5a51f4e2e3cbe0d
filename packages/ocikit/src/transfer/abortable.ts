/**
 * Waits for a promise until the signal is aborted, and then rejects with the signal's reason. The work behind the
 * promise continues.
 */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    const end = (): void => signal.removeEventListener('abort', onAbort);
    signal.addEventListener('abort', onAbort);
    promise.then(resolve, reject).then(end, end);
    if (signal.aborted) onAbort();
  });
}
