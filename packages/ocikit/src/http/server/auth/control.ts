// The decisions of access control: who sends a request, what the rules say, and the token endpoint.
import {
  anonymous,
  combineTokens,
  grantedScopes,
  isAnonymous,
  judgeCall,
  parseScopes,
  registryCheck,
} from '../../../auth/index.ts';
import type { CheckedCall, Decision, Identity } from '../../../auth/index.ts';
import { isRegistryError, RegistryError } from '../../../model/index.ts';
import { empty, errorReply, json } from '../shared/index.ts';
import type { Exchange, Reply } from '../shared/index.ts';

import { identityInPassword, identityOfPassword, senderOf } from './authenticator.ts';
import type { Logins, Sender } from './authenticator.ts';
import type { AccessControlOptions } from './options.ts';
import type { PublicUrl } from './public-url.ts';
import { requestedAction } from './requested-action.ts';
import type { RequestedAction } from './requested-action.ts';
import { readTokenRequest } from './token-request.ts';

/** The path of the token endpoint. */
const tokenPath = '/token';
/** The path of the public keys. */
const keysPath = '/token/keys';

/** Decides about the requests of a server. */
export class Control {
  readonly #options: AccessControlOptions;
  readonly #logins: Logins;
  readonly #publicUrl: PublicUrl;

  /** See `AccessControl.check`. */
  readonly check: (call: CheckedCall) => void;

  /** @param publicUrl the URL for challenges */
  constructor(options: AccessControlOptions, publicUrl: PublicUrl) {
    const { tokens, issuers = [], users, certificateUser, rules } = options;
    this.#options = options;
    this.#logins = { tokens: combineTokens(tokens, ...issuers), users, certificateUser };
    this.#publicUrl = publicUrl;
    this.check = registryCheck(rules);
  }

  /** Answers a request, or passes it on. */
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
    const decision = judgeCall(rules, identity, action, repository);
    // A challenge to a client without credentials is no refusal: it logs in, and asks again.
    if (decision.allowed ? action !== 'pull' : hasLoggedIn) this.#record(exchange, identity.user, asked, decision);
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
