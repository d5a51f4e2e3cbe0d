import { isHttpUrl, isRegistryError, RedirectError, toWireError } from '../../../model/index.ts';
import type { Descriptor, RedirectStatus } from '../../../model/index.ts';
import { errorBody } from '../../wire/index.ts';

import type { Reply } from './exchange.ts';
import type { ServerOptions } from './options.ts';

const encoder = new TextEncoder();

/** What every answer says. */
export const apiVersion: Reply['headers'] = { 'Docker-Distribution-API-Version': 'registry/2.0' };

export function json(status: number, value: unknown, headers: Reply['headers'] = {}): Reply {
  return jsonText(status, JSON.stringify(value), { 'Content-Type': 'application/json', ...headers });
}

export function jsonText(status: number, text: string, headers: Reply['headers']): Reply {
  const body = encoder.encode(text);
  return { status, headers: { ...headers, 'Content-Length': `${body.length}` }, body };
}

export function empty(status: number, headers: Reply['headers']): Reply {
  // An answer with 204 has no length, not even 0. RFC 9110, section 8.6.
  return { status, headers: status === 204 || status === 304 ? headers : { ...headers, 'Content-Length': '0' } };
}

export function redirect(location: string, status: RedirectStatus, headers: Reply['headers'] = {}): Reply {
  return empty(status, { ...headers, Location: location });
}

/** Any error as an answer: always with the specification's JSON body, unless it says where the content is. */
export function errorReply(error: unknown): Reply {
  if (error instanceof RedirectError && isHttpUrl(error.location))
    return redirect(error.location, error.redirectStatus);
  const wire = toWireError(error);
  const headers: Reply['headers'] = { 'Content-Type': 'application/json' };
  if (wire.challenge !== undefined) headers['WWW-Authenticate'] = wire.challenge;
  if (wire.retryAfter !== undefined) headers['Retry-After'] = `${Math.ceil(wire.retryAfter)}`;
  return jsonText(wire.status, errorBody(wire), headers);
}

/** True if the error is no fault of the client's. */
export function isServerFault(error: unknown): boolean {
  return !isRegistryError(error) || (error.status >= 500 && !(error instanceof RedirectError));
}

/** Whether there is anybody to ask where else content can be fetched. */
export function mayBeElsewhere({ locationsForDescriptor }: ServerOptions, { urls }: Descriptor): boolean {
  return locationsForDescriptor !== undefined || urls !== undefined;
}

/** Where content can be fetched instead of here. */
export async function locationOf(
  options: ServerOptions,
  isManifest: boolean,
  descriptor: Descriptor,
): Promise<string | undefined> {
  const urls = (await options.locationsForDescriptor?.(isManifest, descriptor)) ?? descriptor.urls ?? [];
  // Nobody is sent to a `file:` or `javascript:` URL, or to a place that depends on where they came from.
  return urls.find(isHttpUrl);
}
