// The options of access control, and the entries of its log.
import type { AccessRules, TokenCheck, TokenIssuer, Users } from '../../../auth/index.ts';

import type { Logins } from './authenticator.ts';

/** Options of `accessControl`. */
export interface AccessControlOptions {
  /** The rules that say who may do what. */
  rules: AccessRules;
  /** Issues the tokens of this server, and knows callers by them. */
  tokens: TokenIssuer;
  /** The service that challenges name: the same as that of the tokens. */
  service: string;
  /** The users that log in with a password. Default: none */
  users?: Users | undefined;
  /** Issuers whose tokens are taken too, such as `oidcIssuer`. Default: none */
  issuers?: readonly TokenCheck[] | undefined;
  /** The user of a client's certificate; undefined: it names none. Default: certificates are not looked at */
  certificateUser?: Logins['certificateUser'];
  /**
   * The URLs under which clients reach the server, such as `https://registry.example`. A challenge names the one with
   * the request's host, else the first. Default: the request's host; https if the request or a proxy had TLS
   */
  publicUrl?: string | readonly string[] | undefined;
  /** True for the address of a proxy whose `X-Forwarded-Host` counts. Default: none */
  trustsProxy?: ((address: string) => boolean) | undefined;
  /** Called with each decision. Default: nothing is recorded */
  audit?: ((entry: AuditEntry) => void) | undefined;
}

/** A decision about a request or a login, for a log. It has no password and no token. */
export interface AuditEntry {
  /** The user; undefined: anonymous, or a login that failed. */
  readonly user: string | undefined;
  /** The address of the connection's other end. */
  readonly address: string | undefined;
  /** `login`, or the action. */
  readonly action: string;
  /** `manifest`, `blob`, `uploads` or another kind of resource; undefined for a login. */
  readonly resource: string | undefined;
  /** The repository, if the action has one. */
  readonly repository: string | undefined;
  /** True if it was allowed. */
  readonly allowed: boolean;
  /** The place of the rule that decided, such as `rules[3]`. */
  readonly rule: string | undefined;
  /** One sentence. */
  readonly reason: string;
}
