// One request to a token server.
import { fromBase64Url, HttpError, RegistryError } from '../../../model/index.ts';
import { FetchedResponse, fieldsIn, httpError, maxErrorBody, redactUrl, urlIn } from '../shared/index.ts';

import type { AuthenticatorOptions, TokenRequestInfo } from './options.ts';
import { basicAuthorization, hideSecrets } from './credentials.ts';
import type { Credential } from '../shared/index.ts';
import type { RealmRule } from './realms.ts';

/** A request for a token. distribution, "Token Authentication Specification". */
export interface TokenRequest {
  /** The URL that the token is requested from. */
  realm: URL;
  /** The registry's name at its token server. */
  service: string | undefined;
  /** The scopes that the token has to be good for. */
  scope: readonly string[];
  /** The caller's credential; undefined: the request is anonymous. */
  credential: Exclude<Credential, { accessToken: string }> | undefined;
}

/** A token that a token server has granted. */
export interface GrantedToken {
  /** The token itself. */
  token: string;
  /** Milliseconds since 1970 after which it is not used any more, a little before the registry refuses it. */
  expiresAt: number;
  /** The scopes that it is good for, if the server or the token says so. */
  scope: string[] | undefined;
  /** The refresh token to request the next token with, if the server gives one. */
  refreshToken: string | undefined;
}

/** How token servers are asked. */
export interface TokenServerOptions extends Pick<AuthenticatorOptions, 'fetch' | 'userAgent' | 'onTokenRequest'> {
  /** Which token servers may be asked. */
  realms: RealmRule;
}

/** Bytes of a token server's response. */
const maxTokenResponse = 1024 * 1024;

/** Redirects that are followed at most. */
const maxRedirects = 5;

/** The name of this program in OAuth2. */
const clientId = 'ocikit';

/** One way to ask: by GET, as all servers know it, or by POST, as in OAuth2. */
interface Form {
  method: 'GET' | 'POST';
  url: URL;
  authorization?: string | undefined;
  body?: URLSearchParams;
}

/**
 * Asks for a token. A refresh token goes by POST. A password goes by GET, which more servers know, and by POST if the
 * server knows no GET.
 *
 * @throws HttpError if the server refuses
 * @throws RegistryError UNAVAILABLE if it cannot be reached or its answer is cut; UNAUTHORIZED if it sends no token;
 * CONTENT_TOO_LARGE
 */
export async function requestToken(
  request: TokenRequest,
  options: TokenServerOptions,
  signal: AbortSignal,
): Promise<GrantedToken> {
  const { credential } = request;
  const [first, otherwise] = formsOf(request);
  const began = Date.now();
  let { response, info } = await send(first, request, options, signal);
  if (otherwise !== undefined && (response.status === 404 || response.status === 405)) {
    await response.discard();
    options.onTokenRequest?.(info);
    ({ response, info } = await send(otherwise, request, options, signal));
  }
  try {
    if (response.status < 200 || response.status > 299) throw await refusalIn(response, info.method, credential);
    const granted = parseToken(await response.bytes(maxTokenResponse), response, began);
    info.granted = granted.scope?.map((one) => hideSecrets(one, credential));
    return granted;
  } finally {
    options.onTokenRequest?.(info);
  }
}

async function refusalIn(
  response: FetchedResponse,
  method: string,
  credential: TokenRequest['credential'],
): Promise<HttpError> {
  const { status, headers, url } = response;
  // Some servers quote the request in an error, with its secrets.
  const body = hideSecrets(new TextDecoder().decode(await response.beginning(maxErrorBody)), credential);
  const error = httpError({ method, url, status, headers, body: new TextEncoder().encode(body) });
  const said = fieldsIn(body);
  // OAuth2 and Docker Hub have their own forms of an error.
  const message = textIn(said, 'error_description') ?? textIn(said, 'details') ?? textIn(said, 'error');
  const code = new Map([
    [400, 'UNAUTHORIZED'],
    [401, 'UNAUTHORIZED'],
    [403, 'DENIED'],
    [429, 'TOOMANYREQUESTS'],
  ]).get(status);
  if (message === undefined || code === undefined || error.errors.length > 0) return error;
  const { retryAfter } = error;
  return new HttpError({ method, url: error.url, status, body, errors: [{ code, message }], retryAfter });
}

/** The way to ask, and another one if the server does not know the first. */
function formsOf(request: TokenRequest): [Form, Form?] {
  const { credential } = request;
  if (credential === undefined) return [byGet(request)];
  if ('refreshToken' in credential) {
    return [byPost(request, { grant_type: 'refresh_token', refresh_token: credential.refreshToken })];
  }
  const { username, password } = credential;
  return [
    byGet(request, basicAuthorization(credential)),
    byPost(request, { grant_type: 'password', username, password }),
  ];
}

function byGet({ realm, service, scope }: TokenRequest, authorization?: string): Form {
  const url = new URL(realm);
  if (service !== undefined && service !== '') url.searchParams.set('service', service);
  for (const one of scope) url.searchParams.append('scope', one);
  return { method: 'GET', url, authorization };
}

function byPost({ realm, service, scope }: TokenRequest, grant: Record<string, string>): Form {
  const body = new URLSearchParams({ ...grant, client_id: clientId });
  if (service !== undefined && service !== '') body.set('service', service);
  if (scope.length > 0) body.set('scope', scope.join(' '));
  return { method: 'POST', url: realm, body };
}

/**
 * Sends a request, and follows the redirects of a GET. Secrets go only to servers that they might have been sent to at
 * once.
 */
async function send(
  form: Form,
  { scope }: TokenRequest,
  options: TokenServerOptions,
  signal: AbortSignal,
): Promise<{ response: FetchedResponse; info: TokenRequestInfo }> {
  const { realms, onTokenRequest } = options;
  let { url, authorization } = form;
  for (let redirects = 0; ; redirects++) {
    const info: TokenRequestInfo = { method: form.method, url: redactUrl(url), status: undefined, scope };
    let fetched: Response;
    try {
      fetched = await sendOnce({ ...form, url, authorization }, options, signal);
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      const error = unreachable(url, cause);
      onTokenRequest?.({ ...info, error });
      throw error;
    }
    info.status = fetched.status;
    const response = new FetchedResponse({
      method: form.method,
      url,
      response: fetched,
      signal,
      onEnd: () => undefined,
      cut: (cause) => unreachable(url, cause),
    });
    if (fetched.type !== 'opaqueredirect' && ![301, 302, 303, 307, 308].includes(fetched.status)) {
      return { response, info };
    }
    onTokenRequest?.(info);
    await response.discard();
    const next = urlIn(fetched.headers.get('location'), url);
    if (form.method === 'POST' || next === undefined || !realms.mayBeAsked(next) || redirects === maxRedirects) {
      throw new RegistryError(
        'UNAUTHORIZED',
        `the token server at ${redactUrl(url)} redirects to a place that is not followed`,
      );
    }
    // Only the caller decides which servers are sent a secret. A secret that was held back once is not sent to a later
    // server.
    if (!realms.mayHaveSecrets(next)) authorization = undefined;
    url = next;
  }
}

function sendOnce(form: Form, { fetch, userAgent }: TokenServerOptions, signal: AbortSignal): Promise<Response> {
  const { method, url, authorization, body } = form;
  return fetch(url.href, {
    method,
    redirect: 'manual',
    signal,
    headers: {
      accept: 'application/json',
      ...(userAgent === undefined ? {} : { 'user-agent': userAgent }),
      ...(authorization === undefined ? {} : { authorization }),
      ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
    },
    ...(body === undefined ? {} : { body: body.toString() }),
  });
}

function unreachable(url: URL, cause: unknown): RegistryError {
  return new RegistryError('UNAVAILABLE', `the token server at ${redactUrl(url)} could not be reached`, { cause });
}

/** Reads the token in a response. The response is a secret, so no error quotes it. */
function parseToken(bytes: Uint8Array, { url, headers }: FetchedResponse, began: number): GrantedToken {
  const fields = fieldsIn(new TextDecoder().decode(bytes));
  const token = (textIn(fields, 'token') ?? textIn(fields, 'access_token'))?.trim();
  if (token === undefined || !/^[\x21-\x7e]+$/.test(token)) {
    throw new RegistryError('UNAUTHORIZED', `the token server at ${redactUrl(url)} sent no token`);
  }
  const seconds = Number(fields['expires_in']);
  const life = (seconds > 0 ? seconds : 60) * 1000;
  const used = life - Math.min(10_000, life / 10);
  return {
    token,
    expiresAt: began + used - ageOf(fields['issued_at'], headers, used),
    refreshToken: textIn(fields, 'refresh_token'),
    scope: textIn(fields, 'scope')?.split(' ') ?? accessIn(token),
  };
}

/** The scopes that a token names itself, if it is a JWT. distribution, "Token Authentication Implementation". */
function accessIn(token: string): string[] | undefined {
  const claims = fieldsIn(new TextDecoder().decode(fromBase64Url(token.split('.')[1] ?? '')));
  if (!Array.isArray(claims['access'])) return undefined;
  return claims['access'].map((entry: unknown) => {
    const { type, name, actions } = fieldsIn(JSON.stringify(entry));
    return `${String(type)}:${String(name)}:${Array.isArray(actions) ? actions.join(',') : ''}`;
  });
}

function textIn(fields: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = fields[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/**
 * Milliseconds for which a token has been valid when it comes: some servers give the same token out several times.
 * They are measured by the server's own clock, which may differ from this one. A token that would be no longer used
 * when it comes was issued now: some servers give the year 1, or a time in another zone. If it was not, it is refused,
 * and another one is requested.
 *
 * @param used milliseconds for which the token is used
 */
function ageOf(issuedAt: unknown, headers: Headers, used: number): number {
  const issued = typeof issuedAt === 'string' ? Date.parse(issuedAt) : Number.NaN;
  const sent = Date.parse(headers.get('date') ?? '');
  const age = sent - issued;
  return age > 0 && age < used ? age : 0;
}
