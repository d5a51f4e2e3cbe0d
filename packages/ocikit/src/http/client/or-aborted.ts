/** What a promise gives, unless the signal is aborted first: then its reason. The work behind the promise goes on. */
export async function orAborted<T>(result: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return result;
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    const end = (): void => signal.removeEventListener('abort', onAbort);
    signal.addEventListener('abort', onAbort);
    result.then(resolve, reject).then(end, end);
    if (signal.aborted) onAbort();
  });
}
