// The interface of all that knows users by password, and what makes one of several.
import type { Identity } from '../../model/index.ts';

/** The origin of a login, as far as the caller knows it. */
export interface LoginOrigin {
  /** The network address of the client. Default: unknown; all unknown ones count as one. */
  address?: string | undefined;
  /** Ends the wait for a verdict when it is aborted. The check rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/**
 * A check of a password: the identity of the user, or undefined if the name or the password is wrong. It throws only if
 * it cannot tell.
 *
 * @example
 * const check: PasswordCheck = async (user, password) =>
 *   (await ldap.bind(user, password)) ? identityOf(user, { groups: await ldap.groupsOf(user) }) : undefined;
 */
export type PasswordCheck = (
  user: string,
  password: string,
  origin?: LoginOrigin,
) => Identity | undefined | Promise<Identity | undefined>;

/** One way of a user to log in, as it is known without the password. */
export interface UserEntry {
  /** The user and its groups. */
  readonly identity: Identity;
  /**
   * Differs whenever the password has changed, so that a refresh token can end with the password. It is secret: a token
   * contains at most a keyed hash of it.
   */
  readonly stamp: string;
}

/**
 * Users that log in with a password: those of an htpasswd file, robots, or users of your own.
 *
 * @example
 * const users: Users = combineUsers(robots, guardLogins(htpasswd(text)));
 * const identity = await users.check('alice', 'secret', { address: '192.0.2.7' });
 */
export interface Users {
  /** Resolves to the identity of the user; undefined if the name or the password is wrong. */
  check(user: string, password: string, origin?: LoginOrigin): Promise<Identity | undefined>;
  /**
   * Finds the entries of a user without the password, so that a token can end with the entry that it was issued for.
   * Empty: there is no such user. One user may have several entries: a password, and tokens of robots. After `check`,
   * the entry in question is the one with the same identity object. Without this method, users cannot be looked up.
   */
  find?(user: string): Promise<readonly UserEntry[]>;
  /** Calls the listener after each change of users or passwords. Caches of verdicts are cleared then. */
  onChange?(listener: () => void): void;
}

/**
 * Makes users of a function.
 *
 * @example guardLogins(usersFrom((user, password) => (user === password ? identityOf(user) : undefined)))
 */
export function usersFrom(check: PasswordCheck): Users {
  return { check: async (user, password, origin) => check(user, password, origin) };
}

/**
 * Joins users of several kinds. The first that accepts a name and password gives the identity. Put those first that
 * answer without much work.
 *
 * @example combineUsers(robots, guardLogins(await htpasswdFile('users')))
 */
export function combineUsers(...all: readonly Users[]): Users {
  const findable = all.filter((users) => users.find !== undefined);
  return {
    async check(user, password, origin) {
      for (const users of all) {
        const identity = await users.check(user, password, origin);
        if (identity !== undefined) return identity;
      }
      return undefined;
    },
    // If one of them cannot look users up, an unknown user may be one of its users.
    ...(findable.length === all.length && {
      async find(user: string) {
        const entries: UserEntry[] = [];
        for (const users of findable) entries.push(...((await users.find?.(user)) ?? []));
        return entries;
      },
    }),
    onChange(listener) {
      for (const users of all) users.onChange?.(listener);
    },
  };
}
