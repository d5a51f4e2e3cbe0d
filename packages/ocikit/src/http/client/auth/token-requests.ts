import { fromBase64Url, HttpError, RegistryError } from '../../../model/index.ts';
import { FetchedAnswer, fieldsIn, httpError, maxErrorBody, redactUrl, urlIn } from '../shared/index.ts';

import type { AuthenticatorOptions, TokenRequestInfo } from './options.ts';
import { basicAuthorization, hideSecrets } from './credentials.ts';
import type { Credential } from '../shared/index.ts';
import type { RealmRule } from './realms.ts';

/** What is asked of a token server. distribution, "Token Authentication Specification". */
export interface TokenRequest {
  realm: URL;
  /** The registry, as its token server knows it. */
  service: string | undefined;
  scope: readonly string[];
  /** What to prove with who asks; undefined: nobody in particular. */
  credential: Exclude<Credential, { accessToken: string }> | undefined;
}

export interface GrantedToken {
  token: string;
  /** When it is no longer to be used, in milliseconds since 1970; a little before the registry refuses it. */
  expiresAt: number;
  /** What it is good for, where that is said. */
  scope: string[] | undefined;
  /** What the next token is to be asked for with, if the server says so. */
  refreshToken: string | undefined;
}

export interface TokenServerOptions extends Pick<AuthenticatorOptions, 'fetch' | 'userAgent' | 'onTokenRequest'> {
  realms: RealmRule;
}

/** Bytes. */
const maxTokenAnswer = 1024 * 1024;

const maxRedirects = 5;

/** How those who ask by OAuth2 name their program. */
const clientId = 'ocikit';

/** One way to ask: by GET as all servers know it, or by POST, as OAuth2 has it. */
interface Form {
  method: 'GET' | 'POST';
  url: URL;
  authorization?: string | undefined;
  body?: URLSearchParams;
}

/**
 * Asks for a token. A refresh token goes by POST, a password by GET, as more servers know that, and by POST where there is no
 * GET.
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
  let { answer, info } = await send(first, request, options, signal);
  if (otherwise !== undefined && (answer.status === 404 || answer.status === 405)) {
    await answer.discard();
    options.onTokenRequest?.(info);
    ({ answer, info } = await send(otherwise, request, options, signal));
  }
  try {
    if (answer.status < 200 || answer.status > 299) throw await refusalIn(answer, info.method, credential);
    const granted = parseToken(await answer.bytes(maxTokenAnswer), answer, began);
    info.granted = granted.scope?.map((one) => hideSecrets(one, credential));
    return granted;
  } finally {
    options.onTokenRequest?.(info);
  }
}

async function refusalIn(
  answer: FetchedAnswer,
  method: string,
  credential: TokenRequest['credential'],
): Promise<HttpError> {
  const { status, headers, url } = answer;
  // Some servers repeat in an error what they were sent.
  const body = hideSecrets(new TextDecoder().decode(await answer.beginning(maxErrorBody)), credential);
  const error = httpError({ method, url, status, headers, body: new TextEncoder().encode(body) });
  const said = fieldsIn(body);
  // OAuth2 and Docker Hub have forms of their own for why.
  const message = textIn(said, 'error_description') ?? textIn(said, 'details') ?? textIn(said, 'error');
  const code = new Map([
    [400, 'UNAUTHORIZED'],
    [401, 'UNAUTHORIZED'],
    [403, 'DENIED'],
  ]).get(status);
  if (message === undefined || code === undefined || error.errors.length > 0) return error;
  return new HttpError({ method, url: error.url, status, body, errors: [{ code, message }] });
}

/** How to ask, and how else if the server knows nothing of that. */
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

/** Sends it, and follows where a GET is sent on to: there, secrets go only if they might have gone there at once. */
async function send(
  form: Form,
  { scope }: TokenRequest,
  options: TokenServerOptions,
  signal: AbortSignal,
): Promise<{ answer: FetchedAnswer; info: TokenRequestInfo }> {
  const { realms, onTokenRequest } = options;
  let { url, authorization } = form;
  for (let redirects = 0; ; redirects++) {
    const info: TokenRequestInfo = { method: form.method, url: redactUrl(url), status: undefined, scope };
    let response: Response;
    try {
      response = await sendOnce({ ...form, url, authorization }, options, signal);
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      const error = unreachable(url, cause);
      onTokenRequest?.({ ...info, error });
      throw error;
    }
    info.status = response.status;
    const answer = new FetchedAnswer({
      method: form.method,
      url,
      response,
      signal,
      onEnd: () => undefined,
      cut: (cause) => unreachable(url, cause),
    });
    if (response.type !== 'opaqueredirect' && ![301, 302, 303, 307, 308].includes(response.status)) {
      return { answer, info };
    }
    onTokenRequest?.(info);
    await answer.discard();
    const next = urlIn(response.headers.get('location'), url);
    if (form.method === 'POST' || next === undefined || !realms.mayBeAsked(next) || redirects === maxRedirects) {
      throw new RegistryError(
        'UNAUTHORIZED',
        `the token server at ${redactUrl(url)} redirects to where it is not followed`,
      );
    }
    // Nobody but the caller may say who is told a secret, and what was once kept back stays so.
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
  return new RegistryError('UNAVAILABLE', `the token server at ${redactUrl(url)} could not be asked`, { cause });
}

/** What no error may quote: it is a secret. */
function parseToken(bytes: Uint8Array, { url, headers }: FetchedAnswer, began: number): GrantedToken {
  const answer = fieldsIn(new TextDecoder().decode(bytes));
  const token = textIn(answer, 'token') ?? textIn(answer, 'access_token');
  if (token === undefined || !/^[\x21-\x7e]+$/.test(token)) {
    throw new RegistryError('UNAUTHORIZED', `the token server at ${redactUrl(url)} sent no token`);
  }
  const seconds = Number(answer['expires_in']);
  const life = (seconds > 0 ? seconds : 60) * 1000;
  return {
    token,
    expiresAt: began + life - ageOf(answer['issued_at'], headers) - Math.min(10_000, life / 10),
    refreshToken: textIn(answer, 'refresh_token'),
    scope: textIn(answer, 'scope')?.split(' ') ?? accessIn(token),
  };
}

/** What a token says of itself, if it is a JWT. distribution, "Token Authentication Implementation". */
function accessIn(token: string): string[] | undefined {
  const claims = fieldsIn(new TextDecoder().decode(fromBase64Url(token.split('.')[1] ?? '')));
  if (!Array.isArray(claims['access'])) return undefined;
  return claims['access'].map((entry: unknown) => {
    const { type, name, actions } = fieldsIn(JSON.stringify(entry));
    return `${String(type)}:${String(name)}:${Array.isArray(actions) ? actions.join(',') : ''}`;
  });
}

function textIn(answer: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = answer[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/**
 * Milliseconds that a token has been valid for when it comes: some servers hand one out again and again. It is measured by
 * the server's own clock, as that may differ from this one.
 */
function ageOf(issuedAt: unknown, headers: Headers): number {
  const issued = typeof issuedAt === 'string' ? Date.parse(issuedAt) : Number.NaN;
  const sent = Date.parse(headers.get('date') ?? '');
  return Number.isNaN(issued) || Number.isNaN(sent) ? 0 : Math.max(0, sent - issued);
}
