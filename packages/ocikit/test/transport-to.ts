import type { Authenticator } from '../src/http/client/auth/index.ts';
import type { ClientOptions } from '../src/http/client/shared/index.ts';
import type { ClientRequest, Transport } from '../src/http/client/transport/index.ts';
import { createTransport } from '../src/http/client/transport/index.ts';

import { listen } from './listen.ts';
import type { Handle } from './listen.ts';

export { failureOf } from './failure-of.ts';

export interface TransportToOptions extends Partial<ClientOptions> {
  authenticator?: Authenticator;
}

/** A transport to a server that answers like this. It waits for next to nothing between attempts. */
export async function transportTo(handle: Handle, options: TransportToOptions = {}): Promise<Transport> {
  const { authenticator, ...others } = options;
  const host = await listen(handle);
  return createTransport({ host, backOff: { first: 1 }, ...others }, () => authenticator);
}

/** A GET of `/v2/` with what else is needed, and what differs from it. */
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
