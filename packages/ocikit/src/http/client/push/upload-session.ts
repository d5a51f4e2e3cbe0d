// An upload at a registry: where it continues, and how many bytes it has.
import { HttpError, isRegistryError, mediaTypes } from '../../../model/index.ts';
import type { CallOptions, Digest } from '../../../model/index.ts';
import { formatChunkRange, parseUploadProgress, repositoryScope } from '../../wire/index.ts';
import type { Scope } from '../../wire/index.ts';
import { assertStored, isSafe, renamed, uploadsAddress, givenUrl } from '../shared/index.ts';
import type { ClientResponse, Query } from '../shared/index.ts';
import type { ClientRequest, RequestBody, Transport } from '../transport/index.ts';

import type { UploadPlaces } from './upload-places.ts';

/** How an upload is begun. */
export interface BeginOptions {
  /** Parameters of the request, such as the blob to mount. */
  query?: Query | undefined;
  /** Further permissions that a mount needs. */
  scope?: Scope | undefined;
  /** The statuses that are returned. */
  expect: readonly number[];
}

/**
 * Begins an upload. A second one does no harm, so the request may be repeated: a registry discards uploads that are
 * not used.
 */
export async function beginUpload(
  transport: Transport,
  repository: string,
  call: CallOptions,
  { query, scope = [], expect }: BeginOptions,
): Promise<ClientResponse> {
  const response = await transport.send({
    method: 'POST',
    url: uploadsAddress(transport.base, repository, query),
    scope: [...repositoryScope(repository, 'pull', 'push'), ...scope],
    headers: { 'content-length': '0' },
    expect,
    call,
    repeatable: true,
  });
  await response.discard();
  return response;
}

/** An upload at a registry. Distribution specification, "Pushing a blob in chunks". */
export class UploadSession {
  /** The repository that the blob is pushed to. */
  readonly repository: string;
  /** Sends the requests. */
  readonly transport: Transport;
  /** Bytes that the registry has; undefined if that is not known. */
  size: number | undefined;
  /** Bytes that each chunk but the last has to have, if the registry demands it. */
  minimumChunk: number | undefined;
  readonly #places: UploadPlaces;
  #location: URL;

  constructor(transport: Transport, places: UploadPlaces, repository: string, location: URL, size: number | undefined) {
    this.transport = transport;
    this.repository = repository;
    this.size = size;
    this.#places = places;
    this.#location = location;
  }

  /** The upload that a response has begun. */
  static begun(
    transport: Transport,
    places: UploadPlaces,
    repository: string,
    response: ClientResponse,
  ): UploadSession {
    const location = response.headers.get('location');
    if (location === null) throw transport.wrongResponse(response, 'has no Location');
    const session = new UploadSession(transport, places, repository, response.url, 0);
    session.#learn(response, 0, 0);
    return session;
  }

  /** The URL of the next request. */
  get location(): URL {
    return this.#location;
  }

  /**
   * Asks how many bytes the registry has. One byte and none can look the same (`0-0`): the size then stays as it was
   * known before, unless the registry has just refused bytes at that position.
   *
   * @returns the same as {@link UploadSession.size}
   * @param refused the position of bytes that were refused; `at` is undefined if the request did not say it
   */
  async ask(call: CallOptions, refused?: { at: number | undefined }): Promise<number | undefined> {
    const response = await this.#send({ method: 'GET', expect: [200, 202, 204], call });
    const isOne = refused === undefined ? this.size === 1 : refused.at === 0;
    this.#learn(response, undefined, isOne ? 1 : 0);
    return this.size;
  }

  /**
   * Appends bytes.
   *
   * @param at the position of the body; undefined: the end of the upload, wherever that is
   */
  async patch(body: RequestBody, at: number | undefined, call: CallOptions): Promise<void> {
    const response = await this.#send({
      method: 'PATCH',
      headers: bodyHeaders(body, at),
      body,
      expect: [200, 201, 202, 204],
      call,
      lane: 'upload',
    });
    this.#learn(response, plus(at, body.size), 1);
  }

  /**
   * Ends the upload, with the last bytes of it, if there are any.
   *
   * @param at the position of the body; undefined: the request does not say it
   * @returns the size of the blob, if the registry says it
   */
  async put(
    digest: Digest,
    body: RequestBody | undefined,
    at: number | undefined,
    call: CallOptions,
  ): Promise<number | undefined> {
    const response = await this.#send({
      method: 'PUT',
      url: withDigest(this.#location, digest),
      headers: body === undefined ? { 'content-length': '0' } : bodyHeaders(body, at),
      body,
      expect: [200, 201, 204],
      call,
      lane: body === undefined ? 'small' : 'upload',
    });
    assertStored(this.transport, response, digest);
    this.#places.forget(this.#location);
    return sizeIn(response);
  }

  /**
   * Discards the upload. It may be gone already, and a registry that cannot cancel an upload discards it by itself
   * later.
   */
  async cancel(call: CallOptions): Promise<void> {
    this.#places.forget(this.#location);
    const expect = [200, 202, 204, 400, 404, 405, 501];
    await this.#send({ method: 'DELETE', expect, call, repeatable: true });
  }

  async #send(
    request: Omit<ClientRequest, 'url' | 'scope' | 'missing'> & Partial<Pick<ClientRequest, 'url'>>,
  ): Promise<ClientResponse> {
    try {
      const response = await this.transport.send({
        url: this.#location,
        scope: repositoryScope(this.repository, 'pull', 'push'),
        missing: 'BLOB_UPLOAD_UNKNOWN',
        ...request,
      });
      await response.discard();
      return response;
    } catch (error) {
      // Docker's registry says this of an upload that it has given up, for example if a cut has left it at another
      // position.
      if (!(isBusy(error) && error instanceof HttpError && error.status === 404)) throw error;
      throw renamed(error, 'BLOB_UPLOAD_UNKNOWN');
    }
  }

  /**
   * @param expected the size that the upload has to have now, if it is known: some registries do not say it
   * @param few the meaning of `0-0` if it is known from nowhere else
   */
  #learn(response: ClientResponse, expected: number | undefined, few: 0 | 1): void {
    const { headers } = response;
    const location = headers.get('location');
    if (location !== null) {
      this.#places.forget(this.#location);
      this.#location = locationOf(this.transport, response, location);
    }
    const said = parseUploadProgress(headers.get('range'), headers.get('upload-offset'));
    this.size = typeof said === 'number' ? said : (expected ?? (said === 'few' ? few : undefined));
    const minimum = Number(headers.get('oci-chunk-min-length') ?? Number.NaN);
    if (minimum > 0) this.minimumChunk = minimum;
    this.#places.remember(this.repository, this.#location, this.size);
  }
}

/** The sum; undefined if one of the numbers is not known. */
export function plus(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one + other;
}

/**
 * True if another request still writes to the upload; the request of a connection that was cut may do so for a moment.
 */
export function isBusy(error: unknown): boolean {
  return isRegistryError(error, 'BLOB_UPLOAD_INVALID');
}

/** A chunk says its position, so that it cannot get to another one. */
function bodyHeaders({ size }: RequestBody, at: number | undefined): Readonly<Record<string, string>> {
  const range = size === undefined || at === undefined ? undefined : formatChunkRange({ start: at, end: at + size });
  return {
    'content-type': mediaTypes.octetStream,
    ...(range === undefined ? {} : { 'content-range': range }),
  };
}

/** The registry's own query stays as it is: it may be signed. */
function withDigest(location: URL, digest: Digest): URL {
  const url = new URL(location);
  url.search = `${url.search === '' ? '?' : `${url.search}&`}digest=${encodeURIComponent(digest)}`;
  return url;
}

/** The size of a blob that was stored, if the response says it. */
export function sizeIn(response: ClientResponse): number | undefined {
  const size = parseUploadProgress(null, response.headers.get('upload-offset'));
  return typeof size === 'number' ? size : undefined;
}

/**
 * The place at which an upload continues. The URL is relative to where the response came from, also after a redirect.
 */
function locationOf(transport: Transport, response: ClientResponse, location: string): URL {
  const { base } = transport;
  const url = givenUrl(location, response.url, base);
  if (url === undefined || !isSafe(url, base)) {
    throw transport.wrongResponse(response, 'has a Location that is no URL, or not a safe one');
  }
  url.hash = '';
  return url;
}
