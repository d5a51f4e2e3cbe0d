/**
 * Every error code with the HTTP status it has on the wire: the one table that server, client and stores share.
 * The first group is the distribution specification's ("Error Codes"); the second names statuses for
 * which it has no code, in the words of RFC 9110. The last code of a status says no more than the status itself.
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
  /** What is there contradicts itself, and nobody may decide: registries that are one have different manifests of a tag. */
  CONFLICT: 409,
  /** A condition (`ifTag`, `If-Match`, `If-None-Match`) did not hold. */
  PRECONDITION_FAILED: 412,
  CONTENT_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  RANGE_INVALID: 416,
  HEADERS_TOO_LARGE: 431,
  UNKNOWN: 500,
  UNAVAILABLE: 503,
} as const;

/** A code of {@link statusOfCode}. */
export type ErrorCode = keyof typeof statusOfCode;

/** True if `code` is one that {@link statusOfCode} lists. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(statusOfCode, code);
}

/** One entry of an error body: `{"errors":[{code, message, detail}]}`. */
export interface ErrorInfo {
  /** Upper-case letters and underscores; another registry's may be one that {@link ErrorCode} does not know. */
  code: string;
  message?: string;
  detail?: unknown;
}

export interface RegistryErrorOptions extends ErrorOptions {
  /** Anything that serialises as JSON and helps the caller; it goes over the wire. */
  detail?: unknown;
  /** When trying again is worth it, in seconds from now. */
  retryAfter?: number | undefined;
  /** How a caller can authenticate: the value of `WWW-Authenticate`, which belongs to UNAUTHORIZED. */
  challenge?: string | undefined;
}

/** What an error carries so that `instanceof` holds across two copies of this package. */
const brands = {
  registry: Symbol.for('ocikit.RegistryError'),
  http: Symbol.for('ocikit.HttpError'),
  redirect: Symbol.for('ocikit.RedirectError'),
};

function hasBrand(value: unknown, brand: symbol): boolean {
  return typeof value === 'object' && value !== null && brand in value;
}

/**
 * What every method of a registry rejects with: a code to branch on, and a message for a person.
 *
 * `instanceof` holds across two copies of this package in one program.
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
  readonly code: ErrorCode;
  readonly detail: unknown;
  /** When trying again is worth it, in seconds from now. */
  readonly retryAfter: number | undefined;
  /** How a caller can authenticate: the value of `WWW-Authenticate`, which belongs to UNAUTHORIZED. */
  readonly challenge: string | undefined;

  constructor(code: ErrorCode, message: string, options: RegistryErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.detail = options.detail;
    this.retryAfter = options.retryAfter;
    this.challenge = options.challenge;
    Object.defineProperty(this, brands.registry, { value: true });
  }

  /** The HTTP status that belongs to the code. */
  get status(): number {
    return statusOfCode[this.code];
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this !== RegistryError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return hasBrand(value, brands.registry);
  }
}

/** True for a {@link RegistryError}; with `codes`, only if it has one of them. */
export function isRegistryError(error: unknown, ...codes: ErrorCode[]): error is RegistryError {
  return error instanceof RegistryError && (codes.length === 0 || codes.includes(error.code));
}

export interface HttpErrorOptions extends RegistryErrorOptions {
  status: number;
  method: string;
  /** With its secrets already removed: it becomes part of the message. */
  url: string;
  errors?: readonly ErrorInfo[];
  /** The body as it came, bounded by whoever read it. */
  body?: string;
}

/** What another registry, or something before it, answered over HTTP. */
export class HttpError extends RegistryError {
  override readonly name: string = 'HttpError';
  readonly method: string;
  readonly url: string;
  /** The entries of the error body; empty if it had none. */
  readonly errors: readonly ErrorInfo[];
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

  /** The status that came, whatever the code says. */
  override get status(): number {
    return this.#status;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return this === HttpError ? hasBrand(value, brands.http) : super[Symbol.hasInstance](value);
  }
}

/** The code of the first entry that names a known one, else what the status alone says. */
function codeOfAnswer(status: number, errors: readonly ErrorInfo[]): ErrorCode {
  for (const { code } of errors) if (isErrorCode(code)) return code;
  return (
    Object.keys(statusOfCode)
      .filter(isErrorCode)
      .findLast((code) => statusOfCode[code] === status) ?? 'UNKNOWN'
  );
}

/** The statuses with which a store may say that content is found elsewhere. */
export type RedirectStatus = 301 | 302 | 303 | 307 | 308;

/**
 * A read rejects with this when the content is known but can only be fetched at another place.
 * (If it can be read here *as well*, `Descriptor.urls` says where else.) A server turns it into that redirect.
 */
export class RedirectError extends RegistryError {
  override readonly name: string = 'RedirectError';
  /** An absolute `http:` or `https:` URL. */
  readonly location: string;
  readonly redirectStatus: RedirectStatus;

  /**
   * @param status 307 (temporary, same method) if it is left out
   * @throws TypeError if the location is anything else
   */
  constructor(location: string, status: RedirectStatus = 307) {
    if (!isHttpUrl(location))
      throw new TypeError('content can be found elsewhere only at an absolute http or https URL');
    super('UNSUPPORTED', `the content is found elsewhere: ${location.replace(/[?#].*$/s, '')}`);
    this.location = location;
    this.redirectStatus = status;
    Object.defineProperty(this, brands.redirect, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return this === RedirectError ? hasBrand(value, brands.redirect) : super[Symbol.hasInstance](value);
  }
}

/** True for an absolute URL with which a client may be sent elsewhere: `http:` or `https:`, with a host, in ASCII. */
export function isHttpUrl(text: string): boolean {
  return /^https?:\/\/[\x21-\x2e\x30-\x7e][\x21-\x7e]*$/i.test(text) && URL.canParse(text);
}

/** An error as it goes over the wire. */
export interface WireError {
  status: number;
  errors: ErrorInfo[];
  retryAfter: number | undefined;
  /** The value of `WWW-Authenticate`. */
  challenge?: string;
}

/**
 * The wire form of any error. What another registry answered goes on as it came, however many proxies lie between;
 * an error that is not a {@link RegistryError} becomes UNKNOWN without its text, which may be private.
 */
export function toWireError(error: unknown): WireError {
  const found = registryErrorIn(error);
  if (found === undefined && isOutOfRoom(error)) {
    const message = 'the registry has no room left for this';
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
  // What another registry answered with success is no success if it came as an error.
  const isError = status >= 400 && status <= 599;
  return {
    status: isError ? status : 502,
    errors,
    retryAfter: found.retryAfter,
    ...(found.challenge === undefined ? {} : { challenge: found.challenge }),
  };
}

/** A full disk is nobody's secret, and whoever pushes can do something about it. */
function isOutOfRoom(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

/** The first registry error in a chain of causes, if the rest of the chain are plain wrappers. */
function registryErrorIn(error: unknown): RegistryError | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    if (at instanceof RegistryError) return at;
  }
  return undefined;
}
