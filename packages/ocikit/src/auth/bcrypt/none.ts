// Browsers and Workers load no native code: there, the caller passes a bcrypt implementation.
import type { Bcrypt } from './bcrypt.ts';

/** Rejects with what to do. */
export function loadBcrypt(): Promise<Bcrypt> {
  return Promise.reject(
    new Error('this runtime has no bcrypt: pass one in the option bcrypt, such as the package bcryptjs'),
  );
}
