// The errors of a registry: their codes, their classes and their form on the wire.

/**
 * Every error code with its HTTP status: the one table that server, client and stores share.
 *
 * The first group is the distribution specification's ("Error Codes"). The second group is for statuses without a code
 * there, in the words of RFC 9110. If several codes share a status, the last one stands for the status alone.
 *
 * @example statusOfCode.BLOB_UNKNOWN // 404
 */
export const statusOfCode = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 404,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  SIZE_INVALID: 400,
  UNAUTHORIZED: 401,
  DENIED: 403,
  UNSUPPORTED: 405,
  TOOMANYREQUESTS: 429,

  PAGINATION_NUMBER_INVALID: 400,
  BAD_REQUEST: 400,
  NOT_FOUND: 404,
  NOT_ACCEPTABLE: 406,
  REQUEST_TIMEOUT: 408,
  /** The content is ambiguous: for example, two registries of a unified view have different manifests for one tag. */
  CONFLICT: 409,
  /** A condition (`ifTag`, `If-Match`, `If-None-Match`) did not hold. */
  PRECONDITION_FAILED: 412,
  CONTENT_TOO_LARGE: 413,
  URI_TOO_LONG: 414,
  UNSUPPORTED_MEDIA_TYPE: 415,
  RANGE_INVALID: 416,
  /** The server does not answer to the host that the request names. */
  MISDIRECTED_REQUEST: 421,
  HEADERS_TOO_LARGE: 431,
  UNKNOWN: 500,
  UNAVAILABLE: 503,
} as const;

/** A code of {@link statusOfCode}. */
export type ErrorCode = keyof typeof statusOfCode;

/**
 * True if {@link statusOfCode} lists the code.
 *
 * @example isErrorCode('BLOB_UNKNOWN') // true
 */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(statusOfCode, code);
}

/** One entry of an error body, `{"errors":[{code, message, detail}]}`. Distribution specification, "Error Codes". */
export interface ErrorInfo {
  /** Upper-case letters and underscores. Another registry may send a code that is not an {@link ErrorCode}. */
  code: string;
  /** A text for a person. */
  message?: string;
  /** Any JSON value, for a program. */
  detail?: unknown;
}

/** Options of {@link RegistryError}'s constructor. */
export interface RegistryErrorOptions extends ErrorOptions {
  /** Any JSON value that helps the caller. A server sends it. */
  detail?: unknown;
  /** Seconds from now after which a retry makes sense. */
  retryAfter?: number | undefined;
  /** How a caller can authenticate: the value of the `WWW-Authenticate` header. Belongs to UNAUTHORIZED. */
  challenge?: string | undefined;
}

/** The properties by which `instanceof` recognises errors of another copy of this package. */
const brands = {
  registry: Symbol.for('ocikit.RegistryError'),
  http: Symbol.for('ocikit.HttpError'),
  redirect: Symbol.for('ocikit.RedirectError'),
};

function hasBrand(value: unknown, brand: symbol): boolean {
  return typeof value === 'object' && value !== null && brand in value;
}

/**
 * The error that every method of a registry rejects with: a code for the program and a message for a person.
 *
 * `instanceof` works across two copies of this package in one program.
 *
 * @example
 * try {
 *   await registry.resolveTag('library/alpine', 'edge');
 * } catch (error) {
 *   if (!isRegistryError(error, 'MANIFEST_UNKNOWN')) throw error;
 * }
 */
export class RegistryError extends Error {
  override readonly name: string = 'RegistryError';
  /** The code to branch on. */
  readonly code: ErrorCode;
  /** Any JSON value that helps the caller; undefined if there is none. */
  readonly detail: unknown;
  /** Seconds from now after which a retry makes sense; undefined if unknown. */
  readonly retryAfter: number | undefined;
  /** How a caller can authenticate: the value of the `WWW-Authenticate` header. Belongs to UNAUTHORIZED. */
  readonly challenge: string | undefined;

  constructor(code: ErrorCode, message: string, options: RegistryErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.detail = options.detail;
    this.retryAfter = options.retryAfter;
    this.challenge = options.challenge;
    Object.defineProperty(this, brands.registry, { value: true });
  }

  /** The HTTP status of the code. */
  get status(): number {
    return statusOfCode[this.code];
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this !== RegistryError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return hasBrand(value, brands.registry);
  }
}

/**
 * True for a {@link RegistryError}; with `codes`, only if it has one of them.
 *
 * @example isRegistryError(error, 'BLOB_UNKNOWN', 'NAME_UNKNOWN')
 */
export function isRegistryError(error: unknown, ...codes: ErrorCode[]): error is RegistryError {
  return error instanceof RegistryError && (codes.length === 0 || codes.includes(error.code));
}

/** Options of {@link HttpError}'s constructor. */
export interface HttpErrorOptions extends RegistryErrorOptions {
  /** The status of the response. */
  status: number;
  /** The method of the request. */
  method: string;
  /** The URL of the request. It becomes part of the message, so remove secrets from it first. */
  url: string;
  /** The entries of the error body. Default: none. */
  errors?: readonly ErrorInfo[];
  /** The text of the body. The caller limits its length. */
  body?: string | undefined;
}

/**
 * An error response over HTTP, from another registry or from a proxy in front of it.
 *
 * @example
 * if (error instanceof HttpError) console.error(error.status, error.errors, error.body);
 */
export class HttpError extends RegistryError {
  override readonly name: string = 'HttpError';
  /** The method of the request. */
  readonly method: string;
  /** The URL of the request, without secrets. */
  readonly url: string;
  /** The entries of the error body; empty if it had none. */
  readonly errors: readonly ErrorInfo[];
  /** The text of the body, possibly cut off; undefined if there was none. */
  readonly body: string | undefined;
  readonly #status: number;

  constructor(options: HttpErrorOptions) {
    const errors = options.errors ?? [];
    const said = errors.map((entry) => [entry.code, entry.message].filter(Boolean).join(': ')).join('; ');
    super(
      codeOfAnswer(options.status, errors),
      `${options.method} ${options.url} was answered ${options.status}${said === '' ? '' : ` (${said})`}`,
      { detail: errors[0]?.detail, ...options },
    );
    this.method = options.method;
    this.url = options.url;
    this.errors = errors;
    this.body = options.body;
    this.#status = options.status;
    Object.defineProperty(this, brands.http, { value: true });
  }

  /** The status of the response, which may differ from that of the code. */
  override get status(): number {
    return this.#status;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return this === HttpError ? hasBrand(value, brands.http) : super[Symbol.hasInstance](value);
  }
}

/** The first known code among the entries; without one, the code that stands for the status. */
function codeOfAnswer(status: number, errors: readonly ErrorInfo[]): ErrorCode {
  for (const { code } of errors) if (isErrorCode(code)) return code;
  return (
    Object.keys(statusOfCode)
      .filter(isErrorCode)
      .findLast((code) => statusOfCode[code] === status) ?? 'UNKNOWN'
  );
}

/** The statuses of a {@link RedirectError}. */
export type RedirectStatus = 301 | 302 | 303 | 307 | 308;

/**
 * The error of a read if the content exists but can only be fetched from another place. A server sends it as a
 * redirect. If the content can be read here *as well*, return `Descriptor.urls` instead.
 *
 * @example
 * throw new RedirectError(await signedUrl(digest));
 */
export class RedirectError extends RegistryError {
  override readonly name: string = 'RedirectError';
  /** An absolute `http:` or `https:` URL. */
  readonly location: string;
  /** The status of the redirect. */
  readonly redirectStatus: RedirectStatus;

  /**
   * @param location an absolute `http:` or `https:` URL
   * @param status Default: 307 (temporary, same method)
   * @throws TypeError if the location is anything else
   */
  constructor(location: string, status: RedirectStatus = 307) {
    if (!isHttpUrl(location)) throw new TypeError('the location of a redirect must be an absolute http or https URL');
    super('UNSUPPORTED', `the content can only be fetched from ${location.replace(/[?#].*$/s, '')}`);
    this.location = location;
    this.redirectStatus = status;
    Object.defineProperty(this, brands.redirect, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return this === RedirectError ? hasBrand(value, brands.redirect) : super[Symbol.hasInstance](value);
  }
}

/**
 * True for a URL that a redirect may point to: absolute, `http:` or `https:`, with a host, in ASCII.
 *
 * @example isHttpUrl('https://cdn.example.com/blob') // true
 */
export function isHttpUrl(text: string): boolean {
  return /^https?:\/\/[\x21-\x2e\x30-\x7e][\x21-\x7e]*$/i.test(text) && URL.canParse(text);
}

/** The parts of an error response over HTTP. */
export interface WireError {
  /** The status of the response. */
  status: number;
  /** The entries of the error body. */
  errors: ErrorInfo[];
  /** Seconds for the `Retry-After` header; undefined: no such header. */
  retryAfter: number | undefined;
  /** The value of the `WWW-Authenticate` header. */
  challenge?: string;
}

/**
 * The response for any error. The error body of another registry is passed on unchanged, also through several proxies.
 * An error that is not a {@link RegistryError} becomes UNKNOWN without its text, which may be private.
 *
 * @example
 * const { status, errors } = toWireError(error);
 * response.writeHead(status).end(JSON.stringify({ errors }));
 */
export function toWireError(error: unknown): WireError {
  const found = registryErrorIn(error);
  if (found === undefined && isOutOfRoom(error)) {
    const message = 'the registry has no space left: try again after space has been freed';
    return { status: statusOfCode.UNAVAILABLE, errors: [{ code: 'UNAVAILABLE', message }], retryAfter: undefined };
  }
  if (found === undefined) {
    return {
      status: 500,
      errors: [{ code: 'UNKNOWN', message: 'internal error' }],
      retryAfter: undefined,
    };
  }
  const errors =
    found instanceof HttpError && found.errors.length > 0
      ? [...found.errors]
      : [{ code: found.code, message: found.message, ...(found.detail === undefined ? {} : { detail: found.detail }) }];
  const code = errors[0]?.code;
  const status = isErrorCode(code) && code !== 'UNKNOWN' ? statusOfCode[code] : found.status;
  // A client may raise an error for a response with a success status; it must not be sent as a success.
  const isError = status >= 400 && status <= 599;
  return {
    status: isError ? status : 502,
    errors,
    retryAfter: found.retryAfter,
    ...(found.challenge === undefined ? {} : { challenge: found.challenge }),
  };
}

/** Statuses below 500 that describe a moment. RFC 9110, RFC 6585, and a proxy's 499. */
const temporaryStatuses = new Set([408, 425, 429, 499]);
const permanentStatuses = new Set([501, 505, 511]);

/**
 * True if the same request may have another result when it is sent again after this HTTP status.
 *
 * @example isTemporaryStatus(503) // true
 */
export function isTemporaryStatus(status: number): boolean {
  return temporaryStatuses.has(status) || (status >= 500 && !permanentStatuses.has(status));
}

/**
 * True if the same call may succeed when it is made again later: the registry is busy or out of order. An error that is
 * not a {@link RegistryError} counts as temporary too.
 *
 * @example if (isTemporary(error)) await retryLater();
 */
export function isTemporary(error: unknown): boolean {
  return isTemporaryStatus(toWireError(error).status);
}

/** A full disk is not private, and the caller can act on it. */
function isOutOfRoom(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

/** The first registry error in a chain of causes. */
function registryErrorIn(error: unknown): RegistryError | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    if (at instanceof RegistryError) return at;
  }
  return undefined;
}
