// Access control for a server: who sends a request, what the rules say, and the token endpoint.
import {
  anonymous,
  combineTokens,
  grantedScopes,
  isAnonymous,
  parseScopes,
  registryCheck,
} from '../../../auth/index.ts';
import type {
  AccessRules,
  CheckedCall,
  Decision,
  Identity,
  TokenCheck,
  TokenIssuer,
  Users,
} from '../../../auth/index.ts';
import { isRegistryError, RegistryError } from '../../../model/index.ts';
import { empty, errorReply, json } from '../shared/index.ts';
import type { Exchange, Middleware, Reply } from '../shared/index.ts';

import { identityInPassword, identityOfPassword, senderOf } from './authenticator.ts';
import type { Logins, Sender } from './authenticator.ts';
import { PublicUrl } from './public-url.ts';
import { requestedAction } from './requested-action.ts';
import type { RequestedAction } from './requested-action.ts';
import { readTokenRequest } from './token-request.ts';

/** Options of {@link accessControl}. */
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

/** Access control, for a server and its registry. */
export interface AccessControl {
  /** Authenticates each request, refuses what rules refuse, and answers the token endpoint. */
  readonly middleware: Middleware;
  /** Judges each call of a registry, for `accessChecker`. */
  readonly check: (call: CheckedCall) => void;
}

/** The path of the token endpoint. */
const tokenPath = '/token';
/** The path of the public keys. */
const keysPath = '/token/keys';

/**
 * Protects a server. Every 401 has one challenge, to the token endpoint `/token` of the same server, which works with
 * docker, containerd, podman, skopeo, crane, regctl, oras, helm and others. Basic is taken too.
 *
 * Rules are judged at each request for the user as it is now: tokens only narrow what it may do.
 *
 * @example
 * const access = accessControl({ rules, tokens, users, service: 'registry.example' });
 * const guarded = accessChecker(registry, access.check);
 * await serve(guarded, { middleware: [access.middleware] });
 */
export function accessControl(options: AccessControlOptions): AccessControl {
  const control = new Control(options);
  return { middleware: (exchange, next) => control.handle(exchange, next), check: registryCheck(options.rules) };
}

class Control {
  readonly #options: AccessControlOptions;
  readonly #logins: Logins;
  readonly #publicUrl: PublicUrl;

  constructor(options: AccessControlOptions) {
    const { tokens, issuers = [], users, certificateUser, publicUrl = [], trustsProxy } = options;
    this.#options = options;
    this.#logins = { tokens: combineTokens(tokens, ...issuers), users, certificateUser };
    this.#publicUrl = new PublicUrl(
      typeof publicUrl === 'string' ? [publicUrl] : publicUrl,
      trustsProxy ?? (() => false),
    );
  }

  async handle(exchange: Exchange, next: (exchange: Exchange) => Promise<Reply>): Promise<Reply> {
    const { path, method } = exchange;
    if (path === tokenPath) return this.#token(exchange);
    if (path === keysPath && (method === 'GET' || method === 'HEAD')) {
      return json(200, await this.#options.tokens.published(), { 'Cache-Control': 'public, max-age=3600' });
    }
    if (path !== '/v2' && !path.startsWith('/v2/')) return next(exchange);
    const asked = requestedAction(exchange);
    let sender: Sender;
    try {
      sender = await senderOf(exchange, this.#logins);
    } catch (error) {
      if (!isRegistryError(error, 'UNAUTHORIZED')) throw error;
      this.#record(exchange, undefined, undefined, error.message);
      return this.#challenge(exchange, asked, error.message, 'invalid_token');
    }
    const refusal = this.#refusal(exchange, asked, sender);
    if (refusal !== undefined) return refusal;
    exchange.identity = sender.identity;
    const reply = await next(exchange);
    if (reply.status !== 401) return reply;
    // The challenge of an upstream registry would let clients send their passwords for this server there.
    const headers = Object.entries(reply.headers).filter(([name]) => name.toLowerCase() !== 'www-authenticate');
    const challenge = this.#challengeTo(exchange, asked);
    return { ...reply, headers: { ...Object.fromEntries(headers), 'WWW-Authenticate': challenge } };
  }

  /** The answer to a request that is refused; undefined: it may go on. */
  #refusal(exchange: Exchange, asked: RequestedAction | undefined, sender: Sender): Reply | undefined {
    const { rules } = this.#options;
    const { identity, hasLoggedIn } = sender;
    if (asked === undefined) return undefined;
    const { route, repository, action } = asked;
    // A client that is let in here without credentials would never send any.
    if (route.resource === 'base') return hasLoggedIn ? undefined : this.#challenge(exchange, asked, 'log in');
    if (repository === undefined) {
      if (rules.mayListSome(identity)) return undefined;
      return this.#refused(exchange, asked, sender, {
        allowed: false,
        rule: undefined,
        reason: 'no rule shows this caller any repository',
      });
    }
    const decision = rules.decide(identity, action, repository);
    if (!decision.allowed || action !== 'pull') this.#record(exchange, identity.user, asked, decision);
    return decision.allowed ? undefined : this.#refused(exchange, asked, sender, decision);
  }

  #refused(exchange: Exchange, asked: RequestedAction, sender: Sender, decision: Decision): Reply {
    const { identity, hasLoggedIn } = sender;
    const { route, repository, action } = asked;
    if (!hasLoggedIn) return this.#challenge(exchange, asked, `${decision.reason}: log in`);
    if (this.#mayWithWiderToken(identity, asked)) {
      return this.#challenge(exchange, asked, decision.reason, 'insufficient_scope');
    }
    // An answer to HEAD has no text: the client goes on, and the next answer says why it is refused.
    const isHead = exchange.method === 'HEAD' && action === 'pull';
    if (isHead && (route.resource === 'blob' || (repository !== undefined && triesToPush(identity, repository)))) {
      return empty(404, {});
    }
    const host = this.#publicUrl.of(exchange)?.replace(/^https?:\/\//, '');
    const hint = isAnonymous(identity) ? `: log in: docker login ${host ?? 'HOST'}` : '';
    return errorReply(new RegistryError('DENIED', decision.reason + hint));
  }

  /** Whether the caller may do with another token what it may not do with this one. */
  #mayWithWiderToken({ login }: Identity, { repository, action }: RequestedAction): boolean {
    const { rules } = this.#options;
    if (login === undefined) return false;
    return repository === undefined ? rules.mayListSome(login) : rules.decide(login, action, repository).allowed;
  }

  /** 401 with the only challenge. */
  #challenge(exchange: Exchange, asked: RequestedAction | undefined, message: string, error?: string): Reply {
    return errorReply(
      new RegistryError('UNAUTHORIZED', message, { challenge: this.#challengeTo(exchange, asked, error) }),
    );
  }

  /** RFC 6750, section 3 */
  #challengeTo(exchange: Exchange, asked: RequestedAction | undefined, error?: string): string {
    const realm = `${this.#publicUrl.of(exchange) ?? ''}${tokenPath}`;
    const scope = asked === undefined || asked.scope === '' ? '' : `,scope="${asked.scope}"`;
    const why = error === undefined ? '' : `,error="${error}"`;
    return `Bearer realm="${realm}",service="${this.#options.service}"${scope}${why}`;
  }

  async #token(exchange: Exchange): Promise<Reply> {
    const { tokens, rules } = this.#options;
    const headers = { 'Cache-Control': 'no-store' };
    try {
      const request = await readTokenRequest(exchange);
      const { identity, isUser } = await this.#callerOf(exchange, request.proof);
      const requested = parseScopes(request.scopes);
      const granted = grantedScopes(rules, identity, requested);
      const pushing = requested.filter(({ actions }) => actions.includes('push')).map(({ name }) => name);
      const { token, expiresIn, issuedAt } = await tokens.access(identity, granted, { pushing, isUser });
      const refresh = request.proof.kind === 'refresh' ? request.proof.token : undefined;
      const offline = refresh ?? (request.wantsRefresh && isUser ? await tokens.refresh(identity) : undefined);
      this.#record(exchange, identity.user, undefined, {
        allowed: true,
        rule: undefined,
        reason: 'a token was issued',
      });
      return json(
        200,
        {
          token,
          access_token: token,
          expires_in: expiresIn,
          issued_at: new Date(issuedAt).toISOString(),
          ...(offline !== undefined && { refresh_token: offline }),
        },
        headers,
      );
    } catch (error) {
      if (!isRegistryError(error, 'UNAUTHORIZED')) throw error;
      this.#record(exchange, undefined, undefined, error.message);
      const reply = this.#challenge(exchange, undefined, error.message);
      return { ...reply, headers: { ...reply.headers, ...headers } };
    }
  }

  /** Finds out who asks for a token, and whether that is one of the users: others may have the names of users. */
  async #callerOf(
    exchange: Exchange,
    proof: Awaited<ReturnType<typeof readTokenRequest>>['proof'],
  ): Promise<{ identity: Identity; isUser: boolean }> {
    const { tokens } = this.#options;
    if (proof.kind === 'none') {
      const certificate = exchange.tls?.certificate;
      const named = certificate === undefined ? undefined : await this.#logins.certificateUser?.(certificate);
      return { identity: named ?? anonymous, isUser: false };
    }
    if (proof.kind === 'refresh') {
      const known = await tokens.redeem(proof.token);
      const identity = known ?? (await this.#external(proof.token));
      if (identity !== undefined) return { identity, isUser: known !== undefined };
      throw new RegistryError(
        'UNAUTHORIZED',
        'the refresh token is of no issuer that this registry trusts: log in again',
      );
    }
    // Docker keeps a refresh token in place of the password, and containerd sends it as one.
    const redeemed = await tokens.redeem(proof.password);
    if (redeemed !== undefined) return { identity: redeemed, isUser: true };
    const external = await identityInPassword(proof.password, this.#logins);
    if (external !== undefined) return { identity: external, isUser: false };
    return { identity: await identityOfPassword(proof, exchange, this.#logins), isUser: true };
  }

  async #external(token: string): Promise<Identity | undefined> {
    return combineTokens(...(this.#options.issuers ?? [])).identify(token);
  }

  #record(
    exchange: Exchange,
    user: string | undefined,
    asked: RequestedAction | undefined,
    decision: Decision | string,
  ): void {
    const { audit } = this.#options;
    if (audit === undefined) return;
    const { allowed, rule, reason } =
      typeof decision === 'string' ? { allowed: false, rule: undefined, reason: decision } : decision;
    try {
      audit({
        user,
        address: exchange.remoteAddress,
        action: asked?.action ?? 'login',
        resource: asked?.route.resource,
        repository: asked?.repository,
        allowed,
        rule: rule?.path,
        reason,
      });
    } catch {
      // A log that fails must not fail the request.
    }
  }
}

/** Whether the client asked for a token to push, whatever it was granted. */
function triesToPush({ pushing }: Identity, repository: string): boolean {
  return pushing?.includes(repository) === true;
}
