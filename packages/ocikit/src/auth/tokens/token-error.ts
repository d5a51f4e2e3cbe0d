// The error for a token that proves nothing.
import { isRegistryError, RegistryError } from '../../model/index.ts';

/**
 * UNAUTHORIZED: a token is refused. The message has no part of the token.
 *
 * @example throw tokenRefused('has expired');
 * @param what the fault, as the rest of a sentence that begins with `the token`
 */
export function tokenRefused(what: string, cause?: unknown): RegistryError {
  return new RegistryError('UNAUTHORIZED', `the token ${what}: log in again`, cause === undefined ? {} : { cause });
}

/** Turns an error of the library into one that says what is wrong, and quotes nothing. */
export function refusalOf(error: unknown): RegistryError {
  if (isRegistryError(error)) return error;
  const { code, claim } = error as { code?: unknown; claim?: unknown };
  switch (code) {
    case 'ERR_JWT_EXPIRED':
      return tokenRefused('has expired');
    case 'ERR_JWT_CLAIM_VALIDATION_FAILED':
      return tokenRefused(claim === 'nbf' ? 'is not valid yet' : `has the wrong ${describeClaim(claim)}`);
    case 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED':
      return tokenRefused('has a wrong signature');
    case 'ERR_JOSE_ALG_NOT_ALLOWED':
    case 'ERR_JOSE_NOT_SUPPORTED':
      return tokenRefused('is signed with an algorithm that is not allowed');
    default:
      return tokenRefused('is malformed');
  }
}

function describeClaim(claim: unknown): string {
  if (claim === 'aud') return 'audience';
  if (claim === 'iss') return 'issuer';
  if (claim === 'typ') return 'type';
  return 'claims';
}
