// Refusals of token servers.
import { HttpError, isTemporaryStatus, RegistryError } from '../../../model/index.ts';

import type { BearerChallenge } from './challenges.ts';

/** Whether a token server has refused for good. */
export function isRefusal(error: unknown): boolean {
  return (
    (error instanceof HttpError && !isTemporaryStatus(error.status)) ||
    (error instanceof RegistryError && !(error instanceof HttpError) && error.code === 'UNAUTHORIZED')
  );
}

/** The error for a token server that was asked anonymously, because it must not be sent the stored credentials. */
export function keptBack({ realm }: Pick<BearerChallenge, 'realm'>, cause?: unknown): RegistryError {
  return new RegistryError(
    'UNAUTHORIZED',
    `the token server ${realm.origin} was not given the stored credentials, as it is not known to belong to the registry; ` +
      'if it does, name its origin in trustedRealms',
    { cause },
  );
}
