import { partialRegistry } from '../../model/index.ts';
import type { Registry } from '../../model/index.ts';

import { createAuthenticator } from './auth/index.ts';
import { clientDeleter } from './deleter.ts';
import { clientLister } from './lister.ts';
import type { ClientOptions } from './options.ts';
import { clientReader } from './reader.ts';
import { clientReferrers } from './referrers.ts';
import { createTransport } from './transport.ts';

/**
 * A registry that is reached over HTTP.
 *
 * @example
 * const hub = createClient({ host: 'docker.io' });
 * const { descriptor } = await hub.getTag('library/alpine', '3');
 */
export function createClient(options: ClientOptions): Registry {
  const { credentials, trustedRealms = [], userAgent, backOff, onRetry } = options;
  const transport = createTransport(options, ({ origin }, fetch, onTokenRequest) =>
    createAuthenticator({
      origin,
      fetch,
      onTokenRequest,
      credentials,
      trustedRealms,
      userAgent,
      backOff,
      onRetry,
    }),
  );
  const reader = clientReader(transport, options);
  return partialRegistry({
    ...reader,
    ...clientDeleter(transport),
    ...clientLister(transport, options),
    referrers: clientReferrers(transport, reader),
  });
}
