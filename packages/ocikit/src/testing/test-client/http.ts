import {
  assertRepository,
  assertTag,
  HttpError,
  isRegistryError,
  parseDigest,
  RegistryError,
} from '../../model/index.ts';
import type { Digest, ErrorCode, ErrorInfo } from '../../model/index.ts';

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface SentRequest {
  method: string;
  url: URL;
  headers?: Readonly<Record<string, string>>;
  body?: BodyInit | ReadableStream<Uint8Array> | undefined;
  signal?: AbortSignal | undefined;
  /** The statuses that are answers; all others are errors. */
  expect: readonly number[];
  /** What an error is if its answer has no body, as that to a HEAD. */
  whenSilent?: (status: number) => ErrorCode | undefined;
}

/** Requests to one registry: addresses as the specification spells them, errors as the model does. */
export class Http {
  readonly #base: URL;
  readonly #fetch: Fetch;

  constructor(base: string, fetch: Fetch) {
    this.#base = new URL(base.endsWith('/') ? base : `${base}/`);
    this.#fetch = fetch;
  }

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

  /** @param rest what follows the repository, without a slash before it */
  address(repository: string, rest: string, query: Readonly<Record<string, string | undefined>> = {}): URL {
    const segments = repository.split('/');
    // A URL would lose these, and the request would be for another repository.
    if (segments.some((segment) => ['', '.', '..'].includes(segment))) assertRepository(repository);
    return this.#at(`${segments.map(encode).join('/')}/${rest}`, query);
  }

  catalog(query: Readonly<Record<string, string | undefined>>): URL {
    return this.#at('_catalog', query);
  }

  blob(repository: string, digest: Digest): URL {
    // Without a name there would be another resource.
    if (digest.length === 0) parseDigest(digest);
    return this.address(repository, `blobs/${encode(digest)}`);
  }

  manifest(repository: string, digest: Digest): URL {
    // Without a colon it would be a tag.
    if (!digest.includes(':')) parseDigest(digest);
    return this.address(repository, `manifests/${encode(digest)}`);
  }

  tag(repository: string, tag: string): URL {
    // A URL would lose the first three; with a colon it would be a digest.
    if (['', '.', '..'].includes(tag) || tag.includes(':')) assertTag(tag);
    return this.address(repository, `manifests/${encode(tag)}`);
  }

  /** Where the answer says that something is. */
  location(response: Response, request: URL): URL {
    const location = response.headers.get('location');
    if (location === null) throw wrongAnswer(request, 'has no Location');
    return new URL(location, request);
  }

  isHere(url: URL): boolean {
    return url.origin === this.#base.origin;
  }

  #at(path: string, query: Readonly<Record<string, string | undefined>>): URL {
    const url = new URL(`v2/${path}`, this.#base);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.append(name, value);
    return url;
  }
}

export function encode(segment: string): string {
  return encodeURIComponent(segment).replaceAll('%3A', ':');
}

/** The registry said something that it must not say. */
export function wrongAnswer(url: URL, what: string): RegistryError {
  return new RegistryError('UNKNOWN', `the answer of ${url.href} ${what}`);
}

/** The code that a 400 to a HEAD stands for: only the request itself can tell. */
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
