// Requests of the test client, and their errors.
import {
  assertRepository,
  assertTag,
  HttpError,
  isRegistryError,
  parseDigest,
  RegistryError,
} from '../../model/index.ts';
import type { Digest, ErrorCode, ErrorInfo } from '../../model/index.ts';

/** A function that sends requests, such as the global `fetch`. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** A request, and the answers that it expects. */
export interface SentRequest {
  /** Such as `GET`. */
  method: string;
  /** The whole address. */
  url: URL;
  /** Default: none. */
  headers?: Readonly<Record<string, string>>;
  /** Default: none. */
  body?: BodyInit | ReadableStream<Uint8Array> | undefined;
  /** Aborts the request. */
  signal?: AbortSignal | undefined;
  /** Statuses of expected answers. Other answers are errors. */
  expect: readonly number[];
  /** The code of an error whose answer has no body, as that to HEAD. */
  whenSilent?: (status: number) => ErrorCode | undefined;
}

/** Sends requests to one registry. Addresses are those of the specification, errors those of the model. */
export class Http {
  readonly #base: URL;
  readonly #fetch: Fetch;

  constructor(base: string, fetch: Fetch) {
    this.#base = new URL(base.endsWith('/') ? base : `${base}/`);
    this.#fetch = fetch;
  }

  /** Sends a request. Rejects with an HttpError if the status is not expected. */
  async send({ method, url, headers, body, signal, expect, whenSilent }: SentRequest): Promise<Response> {
    signal?.throwIfAborted();
    const init: RequestInit & { duplex?: 'half' } = {
      method,
      headers: { ...headers },
      redirect: 'error',
      ...(signal === undefined ? {} : { signal }),
      ...(body === undefined ? {} : { body }),
      ...(body instanceof ReadableStream ? { duplex: 'half' } : {}),
    };
    const response = await this.#fetch(url.href, init);
    if (expect.includes(response.status)) return response;
    throw await errorOf(response, method, url, whenSilent);
  }

  /**
   * The address of a resource in a repository.
   *
   * @param rest the part after the repository, without a slash before it
   */
  address(repository: string, rest: string, query: Readonly<Record<string, string | undefined>> = {}): URL {
    const segments = repository.split('/');
    // A URL drops these segments, and the request would be for another repository.
    if (segments.some((segment) => ['', '.', '..'].includes(segment))) assertRepository(repository);
    return this.#at(`${segments.map(encode).join('/')}/${rest}`, query);
  }

  /** The address of the list of repositories. */
  catalog(query: Readonly<Record<string, string | undefined>>): URL {
    return this.#at('_catalog', query);
  }

  /** The address of a blob. */
  blob(repository: string, digest: Digest): URL {
    // An empty digest would address another resource.
    if (digest.length === 0) parseDigest(digest);
    return this.address(repository, `blobs/${encode(digest)}`);
  }

  /** The address of a manifest by its digest. */
  manifest(repository: string, digest: Digest): URL {
    // A digest without a colon would be a tag.
    if (!digest.includes(':')) parseDigest(digest);
    return this.address(repository, `manifests/${encode(digest)}`);
  }

  /** The address of a manifest by a tag. */
  tag(repository: string, tag: string): URL {
    // A URL drops the first three. A tag with a colon would be a digest.
    if (['', '.', '..'].includes(tag) || tag.includes(':')) assertTag(tag);
    return this.address(repository, `manifests/${encode(tag)}`);
  }

  /** The `Location` of an answer. Throws if there is none. */
  location(response: Response, request: URL): URL {
    const location = response.headers.get('location');
    if (location === null) throw wrongAnswer(request, 'has no Location');
    return new URL(location, request);
  }

  /** Whether an address is of this registry. */
  isHere(url: URL): boolean {
    return url.origin === this.#base.origin;
  }

  #at(path: string, query: Readonly<Record<string, string | undefined>>): URL {
    const url = new URL(`v2/${path}`, this.#base);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.append(name, value);
    return url;
  }
}

/** Encodes a segment of a path. Colons stay, as in digests. */
export function encode(segment: string): string {
  return encodeURIComponent(segment).replaceAll('%3A', ':');
}

/** The error for an answer that the specification does not allow. */
export function wrongAnswer(url: URL, what: string): RegistryError {
  return new RegistryError('UNKNOWN', `the answer of ${url.href} ${what}`);
}

/** Throws if the answer does not name this digest. */
export function assertDigest(response: Response, request: URL, expected: Digest): void {
  const found = response.headers.get('docker-content-digest');
  if (found !== expected) throw wrongAnswer(request, `has the digest ${found ?? '(none)'} instead of ${expected}`);
}

/** The code for a status 400 to HEAD, which has no body: the malformed part of the request tells the code. */
export function codeOfBadRequest(
  repository: string,
  reference: { digest?: Digest; tag?: string },
): ErrorCode | undefined {
  try {
    assertRepository(repository);
    if (reference.tag !== undefined) assertTag(reference.tag);
    if (reference.digest !== undefined) parseDigest(reference.digest);
    return undefined;
  } catch (error) {
    return isRegistryError(error) ? error.code : undefined;
  }
}

async function errorOf(
  response: Response,
  method: string,
  url: URL,
  whenSilent: SentRequest['whenSilent'],
): Promise<HttpError> {
  const { status } = response;
  const body = await response.text();
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  const silent = body === '' ? whenSilent?.(status) : undefined;
  return new HttpError({
    method,
    url: url.href,
    status,
    body,
    errors: silent === undefined ? errorsIn(body) : [{ code: silent }],
    retryAfter: Number.isFinite(seconds) ? seconds : undefined,
  });
}

function errorsIn(body: string): ErrorInfo[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return [];
  }
  if (typeof parsed !== 'object' || parsed === null || !('errors' in parsed) || !Array.isArray(parsed.errors))
    return [];
  return parsed.errors.filter(isErrorInfo);
}

function isErrorInfo(entry: unknown): entry is ErrorInfo {
  return typeof entry === 'object' && entry !== null && 'code' in entry && typeof entry.code === 'string';
}
