// Credentials in headers and texts.
import { RegistryError } from '../../../model/index.ts';

import type { Credential } from '../shared/index.ts';

/** The `Authorization` of a user name and password. RFC 7617, in UTF-8. */
export function basicAuthorization({ username, password }: { username: string; password: string }): string {
  return `Basic ${base64(`${username}:${password}`)}`;
}

/**
 * Checks that a credential can be sent.
 *
 * @throws RegistryError UNAUTHORIZED if it cannot; the error says why, without the secret
 */
export function assertCredential(credential: Credential): void {
  const refuse = (why: string): never => {
    throw new RegistryError('UNAUTHORIZED', `the credentials cannot be used: ${why}`);
  };
  if ('accessToken' in credential) {
    // `fetch` would refuse such a header, with an error that quotes it.
    if (!/^[\x21-\x7e]+$/.test(credential.accessToken))
      refuse('the access token has characters that no header can have');
  } else if ('password' in credential && credential.username.includes(':')) {
    refuse('the user name has a colon in it');
  }
}

/** A server's text without the caller's secrets, in any form in which the text may have them. */
export function hideSecrets(text: string, credential: Credential | undefined): string {
  if (credential === undefined || 'accessToken' in credential) return text;
  const secrets =
    'refreshToken' in credential
      ? [credential.refreshToken]
      : [credential.password, basicAuthorization(credential).slice('Basic '.length), base64(credential.password)];
  return secrets
    .flatMap((secret) => [
      secret,
      encodeURIComponent(secret),
      new URLSearchParams({ '': secret }).toString().slice(1),
      JSON.stringify(secret).slice(1, -1),
    ])
    .filter((secret) => secret !== '')
    .toSorted((a, b) => b.length - a.length)
    .reduce((hidden, secret) => hidden.replaceAll(secret, '…'), text);
}

function base64(text: string): string {
  return btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(''));
}
