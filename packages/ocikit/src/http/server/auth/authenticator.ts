// Finds out who sends a request: by its token, its password or its certificate.
import { anonymous, claimedBy } from '../../../auth/index.ts';
import type { Identity, TokenCheck, Users } from '../../../auth/index.ts';
import { RegistryError } from '../../../model/index.ts';
import type { ClientCertificate, Exchange } from '../shared/index.ts';

import { credentialsIn } from './credentials.ts';

/** The ways to log in. */
export interface Logins {
  /** Tokens: those that this server issues, and those of issuers that it trusts. */
  readonly tokens: TokenCheck;
  /** Users with a password. Default: none */
  readonly users?: Users | undefined;
  /** The user of a client's certificate; undefined: it names none. Default: certificates are not looked at */
  readonly certificateUser?:
    | ((certificate: ClientCertificate) => Identity | undefined | Promise<Identity | undefined>)
    | undefined;
}

/** The sender of a request. */
export interface Sender {
  /** The caller. */
  readonly identity: Identity;
  /** False for a request without any credentials. */
  readonly hasLoggedIn: boolean;
}

const nobody: Sender = { identity: anonymous, hasLoggedIn: false };

/**
 * Finds out who sends a request. Wrong credentials never count as none.
 *
 * @throws RegistryError UNAUTHORIZED for wrong credentials; TOOMANYREQUESTS, UNAVAILABLE if they cannot be judged now
 */
export async function senderOf(exchange: Exchange, logins: Logins): Promise<Sender> {
  const credentials = credentialsIn(exchange.header('authorization'));
  switch (credentials.kind) {
    case 'bearer':
      return loggedIn(await identityOfToken(credentials.token, logins));
    case 'basic':
      return loggedIn(await identityOfPassword(credentials, exchange, logins));
    case 'malformed':
      throw new RegistryError('UNAUTHORIZED', 'the header Authorization cannot be read: send Basic or Bearer');
    case 'none': {
      const certificate = exchange.tls?.certificate;
      const identity = certificate === undefined ? undefined : await logins.certificateUser?.(certificate);
      return identity === undefined ? nobody : loggedIn(identity);
    }
  }
}

async function identityOfToken(token: string, { tokens }: Logins): Promise<Identity> {
  const identity = await tokens.identify(token);
  if (identity !== undefined) return identity;
  throw new RegistryError('UNAUTHORIZED', 'the token is of no issuer that this registry trusts: log in again');
}

/**
 * Returns the user of a name and a password. A password may be a token of an issuer: then the name counts for nothing.
 *
 * @throws RegistryError UNAUTHORIZED if the name or the password is wrong
 */
export async function identityOfPassword(
  { user, password }: { user: string; password: string },
  exchange: Exchange,
  logins: Logins,
): Promise<Identity> {
  const origin = { address: exchange.remoteAddress, signal: exchange.signal };
  const identity = (await identityInPassword(password, logins)) ?? (await logins.users?.check(user, password, origin));
  if (identity !== undefined) return identity;
  throw new RegistryError('UNAUTHORIZED', 'the user name or the password is wrong');
}

/** The identity that a token in place of a password proves; undefined: the password is no token. */
export async function identityInPassword(password: string, { tokens }: Logins): Promise<Identity | undefined> {
  return claimedBy(password) === undefined ? undefined : tokens.identify(password);
}

function loggedIn(identity: Identity): Sender {
  return { identity, hasLoggedIn: true };
}
