// The identity of a caller: who makes a call, as far as the server knows.

/**
 * The actions on one resource that a token or a robot may use at most. Distribution, "Token Authentication
 * Specification": an entry of the claim `access`.
 *
 * @example
 * const pullOnly: ResourceActions = { type: 'repository', name: 'team/app', actions: ['pull'] };
 */
export interface ResourceActions {
  /** `repository`, `registry` or another type. */
  readonly type: string;
  /** The name of a repository; `catalog` for the list of all repositories. */
  readonly name: string;
  /** `pull`, `push`, `delete` and others; `*` for all. */
  readonly actions: readonly string[];
}

/**
 * The identity of a caller. Password checks, tokens and client certificates yield one, and rules judge it.
 *
 * @example
 * const alice: Identity = { user: 'alice', groups: ['developers'], claims: {}, expires: undefined };
 */
export interface Identity {
  /** The name of the user; undefined or empty for an anonymous caller. */
  readonly user: string | undefined;
  /** The groups of the user. */
  readonly groups: readonly string[];
  /** Facts that an issuer states, by name: those of a JWT, for example. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** The end of this identity in milliseconds since 1970; undefined: it has no end. */
  readonly expires: number | undefined;
  /** The most that this caller may do, whatever rules allow to the user. Default: no limit. */
  readonly scopes?: readonly ResourceActions[] | undefined;
  /** The identity that got the token, which a wider token may use. Default: the caller sent no narrower token. */
  readonly login?: Identity | undefined;
  /** The repositories for which the client asked for a token to push, whatever it was granted. Default: unknown. */
  readonly pushing?: readonly string[] | undefined;
}

/**
 * The identity of a caller that sent no credentials.
 *
 * @example decide(anonymous, 'pull', 'library/alpine')
 */
export const anonymous: Identity = Object.freeze({
  user: undefined,
  groups: Object.freeze([]),
  claims: Object.freeze({}),
  expires: undefined,
});

/**
 * True if the caller sent no credentials.
 *
 * @example isAnonymous(anonymous) // true
 */
export function isAnonymous(identity: Identity): boolean {
  return identity.user === undefined || identity.user === '';
}

/**
 * Makes the identity of a user.
 *
 * @example identityOf('alice', { groups: ['developers'] })
 * @param details the other fields. Default: no groups, no claims, no end, no limit
 */
export function identityOf(user: string, details: Partial<Omit<Identity, 'user'>> = {}): Identity {
  return { groups: [], claims: {}, expires: undefined, ...details, user };
}
