// Requests to a handler without a network.
import type { FetchHandler } from '../src/http/server/index.ts';
import type { TestClientOptions } from '../src/testing/test-client/index.ts';

/** A `fetch` that hands requests to a handler. It ends with its signal, even if the handler does not. */
export function fetchThrough(handle: FetchHandler): NonNullable<TestClientOptions['fetch']> {
  return (address, init) =>
    new Promise((resolve, reject) => {
      const { signal } = init;
      const request = new Request(address, init);
      signal?.addEventListener('abort', () => {
        reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
      });
      handle(request).then(resolve, reject);
    });
}
