// The client's transport, for tests of single requests.
import type { Authenticator } from '../src/http/client/auth/index.ts';
import type { ClientOptions } from '../src/http/client/shared/index.ts';
import type { ClientRequest, Transport } from '../src/http/client/transport/index.ts';
import { createTransport } from '../src/http/client/transport/index.ts';

import { listen } from './listen.ts';
import type { Handle } from './listen.ts';

export { failureOf } from './failure-of.ts';

/** Options of {@link transportTo}, and all options of the client. */
export interface TransportToOptions extends Partial<ClientOptions> {
  /** Default: none. */
  authenticator?: Authenticator;
}

/** Makes a transport to a server with this handler. It waits at least 1 ms between attempts, to keep tests short. */
export async function transportTo(handle: Handle, options: TransportToOptions = {}): Promise<Transport> {
  const { authenticator, ...others } = options;
  const host = await listen(handle);
  return createTransport({ host, backOff: { first: 1 }, ...others }, () => authenticator);
}

/** Makes a request: a GET of `/v2/`, with these changes. */
export function requestTo(
  transport: Transport,
  { path = '/v2/', ...others }: Partial<ClientRequest> & { path?: string } = {},
): ClientRequest {
  return {
    method: 'GET',
    url: new URL(path, transport.base),
    scope: [{ type: 'repository', resource: 'a', action: 'pull' }],
    expect: [200],
    call: {},
    repeatable: true,
    lane: 'small',
    ...others,
  };
}
