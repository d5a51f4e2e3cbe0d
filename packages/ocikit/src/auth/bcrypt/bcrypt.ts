// The interface of a bcrypt implementation.

/**
 * A bcrypt implementation. The package `bcryptjs` is one as it is, for runtimes that load no native code.
 *
 * @example
 * import bcryptjs from 'bcryptjs';
 * const users = htpasswd(text, { bcrypt: bcryptjs });
 */
export interface Bcrypt {
  /** Resolves to true if the password belongs to the hash, which starts with `$2b$`. */
  compare(password: string, hash: string): Promise<boolean>;
  /** Hashes a password with a new salt. */
  hash(password: string, cost: number): Promise<string>;
}
