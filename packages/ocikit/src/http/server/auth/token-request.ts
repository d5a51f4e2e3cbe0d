// Requests for tokens, as clients send them: GET with Basic, POST with a form.
import { RegistryError } from '../../../model/index.ts';
import type { Exchange } from '../shared/index.ts';

import { credentialsIn } from './credentials.ts';

/** A request for a token. */
export interface TokenRequest {
  /** The values of all parameters `scope`. */
  readonly scopes: readonly string[];
  /** True if the client would like a refresh token. */
  readonly wantsRefresh: boolean;
  /** The proof of who asks. */
  readonly proof:
    | { readonly kind: 'none' }
    | { readonly kind: 'password'; readonly user: string; readonly password: string }
    | { readonly kind: 'refresh'; readonly token: string };
}

/** Bytes of a form: scopes of some hundred repositories, and a token of 10 KiB. */
const largestForm = 128 * 1024;
/** Milliseconds within which a form has to arrive. */
const formPatience = 30_000;

/**
 * Reads a request for a token. Distribution, "Token Authentication Specification" (GET) and "OAuth2 Token
 * Authentication" (POST).
 *
 * @throws RegistryError BAD_REQUEST, UNSUPPORTED, UNAUTHORIZED for credentials that cannot be read
 */
export async function readTokenRequest(exchange: Exchange): Promise<TokenRequest> {
  if (exchange.method === 'GET') return fromQuery(exchange);
  if (exchange.method !== 'POST') {
    throw new RegistryError('UNSUPPORTED', `tokens are asked for with GET or POST, not with ${exchange.method}`);
  }
  return fromForm(exchange, new URLSearchParams(await formOf(exchange)));
}

function fromQuery(exchange: Exchange): TokenRequest {
  const query = new URLSearchParams(exchange.query);
  const wantsRefresh = query.get('offline_token') === 'true';
  return { scopes: query.getAll('scope'), wantsRefresh, proof: proofOf(exchange.header('authorization')) };
}

function fromForm(exchange: Exchange, form: URLSearchParams): TokenRequest {
  const scopes = form.getAll('scope');
  const wantsRefresh = form.get('access_type') === 'offline' || form.get('offline_token') === 'true';
  const grant = form.get('grant_type') ?? '';
  if (grant === 'refresh_token') {
    const token = form.get('refresh_token') ?? '';
    if (token === '') throw new RegistryError('BAD_REQUEST', 'the form has no refresh_token');
    return { scopes, wantsRefresh, proof: { kind: 'refresh', token } };
  }
  if (grant !== 'password' && grant !== '') {
    const message = `the grant_type ${JSON.stringify(grant.slice(0, 100))} is not supported: use password or refresh_token`;
    throw new RegistryError('BAD_REQUEST', message);
  }
  const [user, password] = [form.get('username') ?? '', form.get('password') ?? ''];
  if (user !== '' || password !== '') return { scopes, wantsRefresh, proof: { kind: 'password', user, password } };
  return { scopes, wantsRefresh, proof: proofOf(exchange.header('authorization')) };
}

function proofOf(authorization: string | undefined): TokenRequest['proof'] {
  const credentials = credentialsIn(authorization);
  switch (credentials.kind) {
    case 'none':
      return credentials;
    case 'basic': {
      const { user, password } = credentials;
      return { kind: 'password', user, password };
    }
    // Some clients send here what they would send to a registry.
    case 'bearer':
      return { kind: 'refresh', token: credentials.token };
    case 'malformed':
      throw new RegistryError('UNAUTHORIZED', 'the header Authorization cannot be read: send Basic');
  }
}

async function formOf({ body }: Exchange): Promise<string> {
  const pieces: string[] = [];
  const decoder = new TextDecoder();
  let size = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new RegistryError('BAD_REQUEST', `the form did not arrive within ${formPatience / 1000} s`);
    timer = setTimeout(() => reject(error), formPatience);
  });
  const iterator = body?.[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await Promise.race([iterator?.next(), late]);
      if (next === undefined || next.done === true) break;
      size += next.value.length;
      if (size > largestForm) throw new RegistryError('SIZE_INVALID', `a form has at most ${largestForm} bytes`);
      pieces.push(decoder.decode(next.value, { stream: true }));
    }
    return pieces.join('') + decoder.decode();
  } finally {
    clearTimeout(timer);
  }
}
