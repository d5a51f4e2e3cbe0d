// Access control for tests: a registry that demands tokens or a password, and the server that issues tokens.
import type { Exchange, Middleware, Reply } from '../../http/server/index.ts';
import { errorBody, formatChallenges } from '../../http/wire/index.ts';
import { statusOfCode } from '../../model/index.ts';
import type { ErrorCode } from '../../model/index.ts';
import { randomName } from '../content/index.ts';

import { routeOf } from './route-of.ts';

/** Names and their passwords. */
export type Users = Readonly<Record<string, string>>;

/** Options of {@link demandTokens}. */
export interface TokenOptions {
  /**
   * The URL of the token endpoint. Its path is answered here, on every host.
   * Default: `/token` of the host in the request, over http.
   */
  realm?: string | undefined;
  /** The name of the service in challenges. Default: `registry.test`. */
  service?: string | undefined;
  /** Users that get tokens. Default: every client gets tokens, without credentials. */
  users?: Users | undefined;
  /**
   * Returns the actions to grant, of those asked for. Default: all of them.
   *
   * @param type such as `repository`
   * @param resource such as the repository's name
   * @param actions such as `pull` and `push`
   * @param user undefined for a client without credentials
   */
  grant?:
    | ((type: string, resource: string, actions: readonly string[], user: string | undefined) => readonly string[])
    | undefined;
  /** The lifetime of a token, in seconds. Default: 300. */
  lifetime?: number | undefined;
}

/** A middleware that demands tokens and issues them. */
export interface TokenServer extends Middleware {
  /** The number of tokens that were issued. */
  readonly issued: number;
  /** Revokes all access tokens, as the restart of a registry may do. Refresh tokens stay valid. */
  revoke(): void;
}

interface Grant {
  allowed: ReadonlySet<string>;
  expires: number;
}

/**
 * Makes a registry that demands tokens, with the server that issues them: for GET, with or without a password, and for
 * POST as in OAuth 2, with a password or a refresh token. distribution, "Token Authentication Specification".
 *
 * @example
 * const server = await createTestServer({ faults: [demandTokens({ users: { alice: 'secret' } })] });
 * const credentials = () => ({ username: 'alice', password: 'secret' });
 * const registry = createClient({ host: server.host, fetch: server.fetch, credentials });
 */
export function demandTokens(options: TokenOptions = {}): TokenServer {
  const { service = 'registry.test', lifetime = 300, users, grant } = options;
  const endpoint = options.realm === undefined ? '/token' : new URL(options.realm).pathname;
  const tokens = new Map<string, Grant>();
  const refreshTokens = new Map<string, string>();
  let issued = 0;

  const issue = async (exchange: Exchange): Promise<Reply> => {
    const form = exchange.method === 'POST' ? await formOf(exchange) : new URLSearchParams(exchange.query);
    const user = userOf(exchange, form);
    if (user === false) return refusal('UNAUTHORIZED');
    const scopes = form.getAll('scope').flatMap((text) => text.split(' '));
    const token = randomName(32);
    tokens.set(token, {
      allowed: new Set(scopes.flatMap((scope) => granted(scope, user))),
      expires: performance.now() + lifetime * 1000,
    });
    issued++;
    const wantsRefresh = form.get('access_type') === 'offline' || form.get('offline_token') === 'true';
    const refresh = wantsRefresh && user !== undefined ? { refresh_token: rememberUser(user) } : {};
    const answer = { token, access_token: token, expires_in: lifetime, ...refresh };
    return jsonReply(200, JSON.stringify(answer));
  };

  const rememberUser = (user: string): string => {
    const refreshToken = randomName(32);
    refreshTokens.set(refreshToken, user);
    return refreshToken;
  };

  /** @returns false if the credentials are wrong, or if they are missing and required */
  const userOf = (exchange: Exchange, form: URLSearchParams): string | undefined | false => {
    const isAnonymous = users === undefined ? undefined : false;
    if (form.get('grant_type') === 'refresh_token') return refreshTokens.get(form.get('refresh_token') ?? '') ?? false;
    const byForm = form.get('grant_type') === 'password';
    const [name, password] = byForm ? [form.get('username'), form.get('password')] : basicIn(exchange);
    if (name === undefined || name === null) return isAnonymous;
    return users !== undefined && Object.hasOwn(users, name) && users[name] === password ? name : false;
  };

  const granted = (scope: string, user: string | undefined): string[] => {
    const [, type = '', resource = '', actions = ''] = /^([^:]+):(.+):([^:]+)$/.exec(scope) ?? [];
    const wanted = actions.split(',');
    return (grant?.(type, resource, wanted, user) ?? wanted).map((action) => `${type}:${resource}:${action}`);
  };

  const demand: Middleware = async (exchange, next) => {
    if (exchange.path === endpoint) return issue(exchange);
    const needed = neededFor(exchange);
    const [, token = ''] = /^Bearer (.+)$/i.exec(exchange.header('authorization') ?? '') ?? [];
    const found = tokens.get(token);
    const isGood = found !== undefined && found.expires > performance.now();
    const misses = (one: string): boolean =>
      found?.allowed.has(one) !== true && found?.allowed.has(one.replace(/[^:]+$/, '*')) !== true;
    if (isGood && !needed.some(misses)) return next(exchange);
    const realm = options.realm ?? `http://${exchange.header('host') ?? ''}${endpoint}`;
    const scope = scopeOf(needed);
    const parameters = {
      realm,
      service,
      ...(scope === '' ? {} : { scope }),
      ...(token === '' ? {} : { error: isGood ? 'insufficient_scope' : 'invalid_token' }),
    };
    return refusal('UNAUTHORIZED', formatChallenges([{ scheme: 'Bearer', parameters }]));
  };

  const revoke = (): void => tokens.clear();
  return Object.defineProperty(Object.assign(demand, { revoke, issued }), 'issued', { get: () => issued });
}

/**
 * Makes a registry that demands a user name and its password with every request. RFC 7617.
 *
 * @param users all of them may do everything
 * @example
 * const server = await createTestServer({ faults: [demandPassword({ alice: 'secret' })] });
 */
export function demandPassword(users: Users): Middleware {
  return async (exchange, next) => {
    const [name, password] = basicIn(exchange);
    if (name !== undefined && Object.hasOwn(users, name) && users[name] === password) return next(exchange);
    return refusal('UNAUTHORIZED', formatChallenges([{ scheme: 'Basic', parameters: { realm: 'registry.test' } }]));
  };
}

/** The scopes that a request needs, as `TYPE:RESOURCE:ACTION` with one action each. */
function neededFor({ method, path, query }: Exchange): string[] {
  const route = routeOf(path);
  if (route === undefined || route.resource === 'base') return [];
  if (route.resource === 'catalog') return ['registry:catalog:*'];
  const here = `repository:${route.repository}`;
  if (method === 'GET' || method === 'HEAD') return [`${here}:pull`];
  if (method === 'DELETE' && route.resource !== 'upload') return [`${here}:delete`];
  const from = new URLSearchParams(query).get('from');
  return [`${here}:pull`, `${here}:push`, ...(from === null ? [] : [`repository:${from}:pull`])];
}

/** The scopes as one text, with the actions of each resource joined. */
function scopeOf(needed: readonly string[]): string {
  const actions = new Map<string, string[]>();
  for (const one of needed) {
    const end = one.lastIndexOf(':');
    const resource = one.slice(0, end);
    actions.set(resource, [...(actions.get(resource) ?? []), one.slice(end + 1)]);
  }
  return [...actions].map(([resource, of]) => `${resource}:${of.join(',')}`).join(' ');
}

function basicIn(exchange: Exchange): [name: string, password: string] | [] {
  const [, encoded] = /^Basic ([A-Za-z0-9+/]+=*)$/i.exec(exchange.header('authorization') ?? '') ?? [];
  if (encoded === undefined) return [];
  const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
  const text = new TextDecoder().decode(bytes);
  const colon = text.indexOf(':');
  return colon < 0 ? [] : [text.slice(0, colon), text.slice(colon + 1)];
}

async function formOf({ body }: Exchange): Promise<URLSearchParams> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const piece of body ?? []) text += decoder.decode(piece, { stream: true });
  return new URLSearchParams(text);
}

function refusal(code: ErrorCode, challenge?: string): Reply {
  const reply = jsonReply(
    statusOfCode[code],
    errorBody({ errors: [{ code, message: 'valid credentials are required' }] }),
  );
  return challenge === undefined ? reply : { ...reply, headers: { ...reply.headers, 'WWW-Authenticate': challenge } };
}

function jsonReply(status: number, body: string): Reply {
  return { status, headers: { 'Content-Type': 'application/json', 'Content-Length': `${body.length}` }, body };
}
