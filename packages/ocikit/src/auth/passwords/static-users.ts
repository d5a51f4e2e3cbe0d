// Users that a program names, with their passwords.
import { digestOf, identityOf } from '../../model/index.ts';

import { unfitUserName } from './htpasswd-text.ts';
import type { UserEntry, Users } from './users.ts';

/** A user of {@link staticUsers}. */
export interface StaticUser {
  /** The password, of any length but not empty. */
  password: string;
  /** The groups of the user. Default: none. */
  groups?: readonly string[] | undefined;
  /** Further facts about the user. Default: none. */
  claims?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Makes users of names and passwords. Only hashes of the passwords stay in memory.
 *
 * @example
 * const users = staticUsers({
 *   alice: 'correct horse battery staple',
 *   ci: { password: process.env['CI_PASSWORD'] ?? '', groups: ['robots'] },
 * });
 * @throws TypeError if a name cannot be that of a user, or a password is empty, as that of an unset variable is
 */
export function staticUsers(users: Readonly<Record<string, string | StaticUser>>): Users {
  const key = crypto.randomUUID();
  // A keyed hash: its comparison tells nothing about the password, in time neither.
  const hashOf = (user: string, password: string): string =>
    digestOf(new TextEncoder().encode(`${key}:${user}:${password}`));
  const known = new Map<string, { hash: string; entry: UserEntry }>();
  for (const [user, entry] of Object.entries(users)) {
    const { password, groups = [], claims = {} } = typeof entry === 'string' ? { password: entry } : entry;
    const unfit = unfitUserName(user);
    if (unfit !== undefined) throw new TypeError(`${JSON.stringify(user)}: ${unfit}`);
    if (password === '') throw new TypeError(`the password of ${JSON.stringify(user)} is empty`);
    const stamp = digestOf(new TextEncoder().encode(`${user}:${password}`));
    const identity = identityOf(user, { groups, claims });
    known.set(user, { hash: hashOf(user, password), entry: { identity, stamp } });
  }
  return {
    check: (user, password) => {
      const found = known.get(user);
      return Promise.resolve(hashOf(user, password) === found?.hash ? found.entry.identity : undefined);
    },
    find: (user) =>
      Promise.resolve(
        Array.from(
          [known.get(user)].filter((found) => found !== undefined),
          ({ entry }) => entry,
        ),
      ),
  };
}
