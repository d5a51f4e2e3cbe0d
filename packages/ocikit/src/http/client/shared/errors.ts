// The errors that a registry answers with, and URLs that may be shown in an error.
import { HttpError, isRegistryError } from '../../../model/index.ts';
import type { ErrorCode, ErrorInfo } from '../../../model/index.ts';

import { fieldsIn } from './json.ts';

/** Bytes of an error's body that are kept. */
export const maxErrorBody: number = 8 * 1024;

/** A response that is an error. */
export interface RefusedResponse {
  /** The method of the request. */
  method: string;
  /** The URL of the request; secrets are removed before it is shown. */
  url: URL;
  /** The status of the response. */
  status: number;
  /** The headers of the response. */
  headers: Headers;
  /** Whether the registry itself sent it: only then is its challenge meant for the caller. Default: false. */
  own?: boolean | undefined;
  /** The body, at most {@link maxErrorBody} bytes of it. */
  body: Uint8Array;
}

/**
 * The error that a response is.
 *
 * @param missing the code of a 404 that names none itself, such as the response to a HEAD
 */
export function httpError(
  { method, url, status, headers, body, own }: RefusedResponse,
  missing?: ErrorCode,
): HttpError {
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
    challenge: (own && headers.get('www-authenticate')) || undefined,
  });
}

/** The same error under the code that the specification has for it. */
export function renamed(error: HttpError, code: ErrorCode): HttpError {
  const { method, url, status, body, errors, retryAfter } = error;
  return new HttpError({ method, url, status, body, errors: [{ code }, ...errors], retryAfter });
}

/** The same error with a reason that its response does not tell. */
export function saying(error: HttpError, message: string, cause: unknown): HttpError {
  const { method, url, status, body, errors: said, retryAfter, challenge, code } = error;
  const errors = [...said, { code, message }];
  return new HttpError({ method, url, status, body, errors, retryAfter, challenge, cause });
}

/** Whether the request itself was refused: the same request will be refused again. RFC 9110, section 15.5. */
export function isClientError(error: unknown): boolean {
  return isRegistryError(error) && error.status >= 400 && error.status < 500;
}

/** The Content-Type is ignored: some registries do not say that an error is JSON. */
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

/** Seconds from now, from seconds or a date; undefined if the header has neither. RFC 9110, section 10.2.3. */
export function parseRetryAfter(header: string | null): number | undefined {
  if (header === null) return undefined;
  if (/^\s*\d+\s*$/.test(header)) return Number(header);
  const date = /[a-z]/i.test(header) ? Date.parse(header) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, (date - Date.now()) / 1000);
}

/** Parameters of a query that are never secret, and help the reader of an error. */
const publicParameters = new Set([
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

/** A URL without secrets: without its user, and with the values of unknown parameters replaced. */
export function redactUrl(url: URL): string {
  const redacted = new URL(url);
  redacted.username = '';
  redacted.password = '';
  redacted.hash = '';
  for (const name of new Set(redacted.searchParams.keys())) {
    if (!publicParameters.has(name)) redacted.searchParams.set(name, 'redacted');
  }
  return redacted.href;
}
