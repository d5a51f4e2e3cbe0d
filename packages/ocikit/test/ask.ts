// Requests to a guarded registry, for tests of authentication.
import { inspect } from 'node:util';

import { createAuthenticator } from '../src/http/client/auth/index.ts';
import { parseScope } from '../src/http/wire/index.ts';
import { createTransport, explain } from '../src/http/client/transport/index.ts';
import type { ClientOptions } from '../src/http/client/index.ts';

export { failureOf } from './failure-of.ts';

/** Sends a request that needs a scope. Gives the status, or rejects with the client's error. */
export type Ask = (scope: string, options?: { path?: string; signal?: AbortSignal }) => Promise<number>;

/** Makes an {@link Ask} of the client's transport and authenticator, put together as in `createClient`. */
export function asker(host: string, options: Partial<ClientOptions> = {}): Ask {
  const { credentials, trustedRealms = [], userAgent, backOff = { first: 1 }, onRetry } = options;
  const transport = createTransport({ host, ...options, backOff }, ({ origin }, fetch, onTokenRequest) =>
    createAuthenticator({ origin, fetch, onTokenRequest, credentials, trustedRealms, userAgent, backOff, onRetry }),
  );
  return async (scope, { path = scope, signal } = {}) => {
    const answer = await transport.send({
      method: 'GET',
      url: new URL(`/${path}`, transport.base),
      scope: parseScope(scope),
      expect: [200],
      call: signal === undefined ? {} : { signal },
      repeatable: true,
      lane: 'small',
    });
    await answer.discard();
    return answer.status;
  };
}

/** Everything that a log could show of an error. */
export function shown(error: unknown): string {
  return [
    inspect(error, { depth: 20, showHidden: true, getters: true }),
    JSON.stringify(error),
    String(explain(error)),
  ].join('\n');
}
