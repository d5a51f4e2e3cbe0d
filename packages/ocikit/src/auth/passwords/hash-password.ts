// Hashing a password for an htpasswd file.
import { loadBcrypt } from '#bcrypt';

import { unfitPassword } from '../bcrypt/index.ts';
import type { Bcrypt } from '../bcrypt/index.ts';

/** Options of {@link hashPassword}. */
export interface HashPasswordOptions {
  /** The binary logarithm of the number of rounds, 4 to 16. Default: 10, which takes 45 ms. */
  cost?: number | undefined;
  /** Makes the hash. Default: `@node-rs/bcrypt`; Workers and browsers have no default. */
  bcrypt?: Bcrypt | undefined;
}

/**
 * Hashes a password for a line of an htpasswd file.
 *
 * @example
 * const text = setHtpasswdUser('', 'alice', await hashPassword('secret'));
 * // 'alice:$2y$10$…\n'
 * @returns a hash that starts with `$2y$`, as htpasswd of Apache writes it and every server reads it
 * @throws TypeError if the password is empty, has a NUL or more than 72 bytes; RangeError if the cost is out of range
 */
export async function hashPassword(password: string, options: HashPasswordOptions = {}): Promise<string> {
  const { cost = 10 } = options;
  const unfit = unfitPassword(password);
  if (unfit !== undefined) throw new TypeError(unfit);
  if (!Number.isInteger(cost) || cost < 4 || cost > 16)
    throw new RangeError('the cost must be an integer from 4 to 16');
  const bcrypt = options.bcrypt ?? (await loadBcrypt());
  return (await bcrypt.hash(password, cost)).replace(/^\$2[abxy]\$/, '$2y$');
}
