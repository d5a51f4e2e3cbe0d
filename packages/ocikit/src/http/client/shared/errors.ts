import { HttpError, isRegistryError } from '../../../model/index.ts';
import type { ErrorCode, ErrorInfo } from '../../../model/index.ts';

import { fieldsIn } from './json.ts';

/** Bytes of an error's body that are kept. */
export const maxErrorBody: number = 8 * 1024;

/** What is said of an answer that is an error. */
export interface RefusedAnswer {
  method: string;
  url: URL;
  status: number;
  headers: Headers;
  /** At most {@link maxErrorBody} bytes of it. */
  body: Uint8Array;
}

/** @param missing what a 404 says is missing if it does not say so itself, as that to a HEAD */
export function httpError({ method, url, status, headers, body }: RefusedAnswer, missing?: ErrorCode): HttpError {
  const text = new TextDecoder().decode(body);
  const said = errorsIn(text);
  const silent = said.length === 0 && status === 404 ? missing : undefined;
  return new HttpError({
    method,
    url: redactUrl(url),
    status,
    body: text,
    errors: silent === undefined ? said : [{ code: silent }],
    retryAfter: parseRetryAfter(headers.get('retry-after')),
  });
}

/** The same error by the name that the specification has for it. */
export function renamed(error: HttpError, code: ErrorCode): HttpError {
  const { method, url, status, body = '', errors, retryAfter } = error;
  return new HttpError({ method, url, status, body, errors: [{ code }, ...errors], retryAfter });
}

/** RFC 9110, section 15.5: whoever asks is to ask otherwise, or not at all. */
export function isClientError(error: unknown): boolean {
  return isRegistryError(error) && error.status >= 400 && error.status < 500;
}

/** Whatever its Content-Type is: some registries do not say that it is JSON. */
function errorsIn(text: string): ErrorInfo[] {
  const { errors } = fieldsIn(text);
  if (!Array.isArray(errors)) return [];
  return errors.flatMap((entry: unknown): ErrorInfo[] => {
    if (typeof entry !== 'object' || entry === null || !('code' in entry) || typeof entry.code !== 'string') return [];
    const message = 'message' in entry && typeof entry.message === 'string' ? { message: entry.message } : {};
    const detail = 'detail' in entry ? { detail: entry.detail } : {};
    return [{ code: entry.code, ...message, ...detail }];
  });
}

/** Seconds from now, from seconds or a date; undefined if it says nothing. RFC 9110, section 10.2.3. */
export function parseRetryAfter(header: string | null): number | undefined {
  if (header === null) return undefined;
  if (/^\s*\d+\s*$/.test(header)) return Number(header);
  const date = /[a-z]/i.test(header) ? Date.parse(header) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, (date - Date.now()) / 1000);
}

/** What of a query can be no secret, and helps. */
const plainParameters = new Set([
  'scope',
  'service',
  'n',
  'last',
  'digest',
  'mount',
  'from',
  'artifactType',
  'tag',
  'ns',
]);

/** A URL without secrets: no user, and of the query only what is known to be none. */
export function redactUrl(url: URL): string {
  const redacted = new URL(url);
  redacted.username = '';
  redacted.password = '';
  redacted.hash = '';
  for (const name of new Set(redacted.searchParams.keys())) {
    if (!plainParameters.has(name)) redacted.searchParams.set(name, 'redacted');
  }
  return redacted.href;
}
