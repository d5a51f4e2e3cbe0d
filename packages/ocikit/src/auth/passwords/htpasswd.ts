// Users of an htpasswd text, with bcrypt hashes.
import { loadBcrypt } from '#bcrypt';

import { digestOf, identityOf } from '../../model/index.ts';

import { unfitPassword, unknownHash } from '../bcrypt/index.ts';
import type { Bcrypt, EncodedHash } from '../bcrypt/index.ts';

import { parseHtpasswd } from './htpasswd-text.ts';
import type { Users } from './users.ts';

/** Options of {@link htpasswd}. */
export interface HtpasswdOptions {
  /** Checks the passwords. Default: `@node-rs/bcrypt`; Workers and browsers have no default. */
  bcrypt?: Bcrypt | undefined;
}

/** The cost of a check if there is no user to take it from. */
const usualCost = 10;

/**
 * Makes users of an htpasswd text. Only bcrypt hashes (`$2a$`, `$2b$`, `$2x$`, `$2y$`) are accepted. A password of more
 * than 72 bytes is wrong, as bcrypt would ignore the rest. An unknown user takes as long as a known one.
 *
 * A check takes 45 ms of a processor at the usual cost. Put {@link guardLogins} around it on a network.
 *
 * @example
 * const users = htpasswd(await readFile('users', 'utf8'));
 * const identity = await users.check('alice', 'secret');
 * @throws HtpasswdError that names each faulty line and says what to do
 */
export function htpasswd(text: string, options: HtpasswdOptions = {}): Users {
  return hashedUsers(parseHtpasswd(text), options);
}

/** Users by name, each with the hash of the password. */
export function hashedUsers(hashes: ReadonlyMap<string, EncodedHash>, options: HtpasswdOptions = {}): Users {
  const unknownHashOf = unknownHashes(hashes);
  const identities = new Map(Array.from(hashes.keys(), (user) => [user, identityOf(user)]));
  let loading: Promise<Bcrypt> | undefined;
  const bcrypt = (): Promise<Bcrypt> => {
    loading ??= options.bcrypt === undefined ? loadBcrypt() : Promise.resolve(options.bcrypt);
    // A failure may end, for example when the package has been installed.
    loading.catch(() => (loading = undefined));
    return loading;
  };
  return {
    async check(user, password, origin) {
      origin?.signal?.throwIfAborted();
      if (unfitPassword(password) !== undefined) return undefined;
      const known = hashes.get(user);
      const isRight = await (await bcrypt()).compare(password, known?.text ?? unknownHashOf(user));
      origin?.signal?.throwIfAborted();
      return isRight ? identities.get(user) : undefined;
    },
    find: (user) => {
      const hash = hashes.get(user);
      const identity = identities.get(user);
      if (hash === undefined || identity === undefined) return Promise.resolve([]);
      return Promise.resolve([{ identity, stamp: digestOf(new TextEncoder().encode(`${user}:${hash.text}`)) }]);
    },
  };
}

/**
 * Gives each unknown name a hash with the cost of some known user, always the same one. So the time of a check does not
 * tell a known name from an unknown one, even if costs differ.
 */
function unknownHashes(hashes: ReadonlyMap<string, EncodedHash>): (user: string) => string {
  const costs = Array.from(hashes.values(), ({ cost }) => cost);
  if (costs.length === 0) costs.push(usualCost);
  const byCost = new Map(Array.from(new Set(costs), (cost) => [cost, unknownHash(cost)]));
  const key = crypto.randomUUID();
  return (user) => {
    const digest = digestOf(new TextEncoder().encode(key + user));
    const cost = costs[Number.parseInt(digest.slice(-8), 16) % costs.length] ?? usualCost;
    return byCost.get(cost) ?? unknownHash(cost);
  };
}
