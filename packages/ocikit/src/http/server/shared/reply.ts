// Replies of every shape that the server sends: JSON, empty, redirect, error.
import { isRegistryError, isHttpUrl, RedirectError, RegistryError, toWireError } from '../../../model/index.ts';
import type { BlobContent, RedirectStatus } from '../../../model/index.ts';
import { errorBody } from '../../wire/index.ts';

import type { Reply } from './exchange.ts';

const encoder = new TextEncoder();

/** The headers that every answer has. `nosniff`: a browser must not look for a page in content that a client pushed. */
export const everyAnswer: Readonly<Record<string, string>> = addEveryAnswer({});

/** Adds {@link everyAnswer} to headers. One by one: `Object.assign` takes longer than the rest of an answer. */
export function addEveryAnswer<Headers extends Reply['headers']>(headers: Headers): Headers {
  const all: Reply['headers'] = headers;
  all['Docker-Distribution-API-Version'] = 'registry/2.0';
  all['X-Content-Type-Options'] = 'nosniff';
  return headers;
}

/** Builds a reply whose body is a value as JSON. */
export function json(status: number, value: unknown, headers: Reply['headers'] = {}): Reply {
  return jsonText(status, JSON.stringify(value), { 'Content-Type': 'application/json', ...headers });
}

/** Builds a reply whose body is a text that is JSON already. `headers` has to name the type. */
export function jsonText(status: number, text: string, headers: Reply['headers']): Reply {
  const body = encoder.encode(text);
  return { status, headers: { ...headers, 'Content-Length': `${body.length}` }, body };
}

/** Builds a reply without a body. The headers become its own. */
export function empty(status: number, headers: Reply['headers']): Reply {
  // An answer with 204 has no Content-Length, not even 0. RFC 9110, section 8.6.
  if (status !== 204 && status !== 304) headers['Content-Length'] = '0';
  return { status, headers };
}

/** Builds a reply that sends the client to another URL. */
export function redirect(location: string, status: RedirectStatus, headers: Reply['headers'] = {}): Reply {
  return empty(status, { ...headers, Location: location });
}

/**
 * Turns any error into a reply: a redirect for a `RedirectError`, else the JSON body of the distribution specification.
 */
export function errorReply(error: unknown): Reply {
  if (error instanceof RedirectError && isHttpUrl(error.location))
    return redirect(error.location, error.redirectStatus);
  const wire = toWireError(error);
  const headers: Reply['headers'] = { 'Content-Type': 'application/json' };
  if (wire.challenge !== undefined) headers['WWW-Authenticate'] = wire.challenge;
  if (wire.retryAfter !== undefined) headers['Retry-After'] = `${Math.ceil(wire.retryAfter)}`;
  return jsonText(wire.status, errorBody(wire), headers);
}

/** Builds the whole reply to a request that is too malformed for the API. */
export function malformed(message: string): Reply {
  const { status, headers, body } = errorReply(new RegistryError('BAD_REQUEST', message));
  return { status, headers: { ...headers, ...everyAnswer, Connection: 'close' }, body };
}

/** Returns true if the client did not cause the error. */
export function isServerFault(error: unknown): boolean {
  return !isRegistryError(error) || (error.status >= 500 && !(error instanceof RedirectError));
}

/** Returns true if a body is content that has to be read or cancelled. */
export function isContent(body: Reply['body']): body is BlobContent {
  return typeof body === 'object' && 'cancel' in body;
}
