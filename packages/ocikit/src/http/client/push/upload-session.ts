import { HttpError, isRegistryError, mediaTypes } from '../../../model/index.ts';
import type { CallOptions, Digest } from '../../../model/index.ts';
import { formatChunkRange, parseUploadProgress, repositoryScope } from '../../wire/index.ts';

import { isSafe, renamed, uploadsAddress, urlIn } from '../shared/index.ts';
import type { Answer, Query } from '../shared/index.ts';
import { assertStored } from '../transport/index.ts';
import type { Scope } from '../../wire/index.ts';
import type { ClientRequest, RequestBody, Transport } from '../transport/index.ts';
import type { UploadPlaces } from './upload-places.ts';

export interface BeginOptions {
  query?: Query | undefined;
  /** What a mount needs besides. */
  scope?: Scope | undefined;
  expect: readonly number[];
}

/** Begins an upload. One that is begun twice does no harm: a registry forgets what nobody goes on with. */
export async function beginUpload(
  transport: Transport,
  repository: string,
  call: CallOptions,
  { query, scope = [], expect }: BeginOptions,
): Promise<Answer> {
  const answer = await transport.send({
    method: 'POST',
    url: uploadsAddress(transport.base, repository, query),
    scope: [...repositoryScope(repository, 'pull', 'push'), ...scope],
    headers: { 'content-length': '0' },
    expect,
    call,
    repeatable: true,
  });
  await answer.discard();
  return answer;
}

/** What an upload is at the registry: where it goes on, and how far it has come. Distribution specification, "Pushing a blob in chunks". */
export class UploadSession {
  readonly repository: string;
  readonly transport: Transport;
  /** Bytes that the registry has; NaN if it was not asked. */
  size: number;
  minimumChunk: number | undefined;
  readonly #places: UploadPlaces;
  #location: URL;

  constructor(transport: Transport, places: UploadPlaces, repository: string, location: URL, size: number) {
    this.transport = transport;
    this.repository = repository;
    this.size = size;
    this.#places = places;
    this.#location = location;
  }

  /** Of an answer that has begun it. */
  static begun(transport: Transport, places: UploadPlaces, repository: string, answer: Answer): UploadSession {
    const location = answer.headers.get('location');
    if (location === null) throw transport.wrongAnswer(answer, 'has no Location');
    const session = new UploadSession(transport, places, repository, answer.url, 0);
    session.#learn(answer, 0);
    return session;
  }

  get location(): URL {
    return this.#location;
  }

  /**
   * Asks how much the registry has. Where that can only be said ambiguously, as one byte or none, it is what was known before,
   * unless the registry has just refused bytes there.
   */
  async ask(call: CallOptions, refusedAt?: number): Promise<void> {
    const answer = await this.#send({ method: 'GET', expect: [200, 202, 204], call });
    const few = refusedAt === undefined ? this.size : 1 - refusedAt;
    this.#learn(answer, undefined, few === 1 ? 1 : 0);
  }

  /** @param at where the body belongs; NaN: at the end, wherever that is */
  async patch(body: RequestBody, at: number, call: CallOptions): Promise<void> {
    const answer = await this.#send({
      method: 'PATCH',
      headers: bodyHeaders(body, at),
      body,
      expect: [200, 201, 202, 204],
      call,
      lane: 'upload',
    });
    this.#learn(answer, at + (body.size ?? Number.NaN));
  }

  /** Ends it. @returns the size of the blob, if the registry says it */
  async put(digest: Digest, body: RequestBody | undefined, at: number, call: CallOptions): Promise<number | undefined> {
    const answer = await this.#send({
      method: 'PUT',
      url: withDigest(this.#location, digest),
      headers: body === undefined ? { 'content-length': '0' } : bodyHeaders(body, at),
      body,
      expect: [200, 201, 204],
      call,
      lane: body === undefined ? 'small' : 'upload',
    });
    assertStored(this.transport, answer, digest);
    this.#places.forget(this.#location);
    return sizeIn(answer);
  }

  /** It need not be there any more, and a registry that cannot do this forgets it by itself. */
  async cancel(call: CallOptions): Promise<void> {
    this.#places.forget(this.#location);
    const expect = [200, 202, 204, 400, 404, 405, 501];
    await this.#send({ method: 'DELETE', expect, call, repeatable: true });
  }

  async #send(
    request: Omit<ClientRequest, 'url' | 'scope' | 'missing'> & Partial<Pick<ClientRequest, 'url'>>,
  ): Promise<Answer> {
    try {
      const answer = await this.transport.send({
        url: this.#location,
        scope: repositoryScope(this.repository, 'pull', 'push'),
        missing: 'BLOB_UPLOAD_UNKNOWN',
        ...request,
      });
      await answer.discard();
      return answer;
    } catch (error) {
      // Docker's registry says so of an upload that it has given up, for one because a cut has left it elsewhere than it thinks.
      if (!(isBusy(error) && error instanceof HttpError && error.status === 404)) throw error;
      throw renamed(error, 'BLOB_UPLOAD_UNKNOWN');
    }
  }

  /**
   * @param expected how much there ought to be now, if that is known: some registries do not say it
   * @param few what `0-0` means if nothing else tells
   */
  #learn(answer: Answer, expected: number | undefined, few: 0 | 1 = 0): void {
    const { headers } = answer;
    const location = headers.get('location');
    if (location !== null) {
      this.#places.forget(this.#location);
      this.#location = locationOf(this.transport, answer, location);
    }
    const said = parseUploadProgress(headers.get('range'), headers.get('upload-offset'));
    this.size = typeof said === 'number' ? said : (expected ?? (said === 'few' ? few : Number.NaN));
    if (Number.isNaN(this.size) && said === 'few') this.size = 1;
    const minimum = Number(headers.get('oci-chunk-min-length') ?? Number.NaN);
    if (minimum > 0) this.minimumChunk = minimum;
    this.#places.remember(this.repository, this.#location, this.size);
  }
}

/** True if another request is still writing to the upload, as that of a connection which was cut may be for a moment. */
export function isBusy(error: unknown): boolean {
  return isRegistryError(error, 'BLOB_UPLOAD_INVALID');
}

/** A chunk says where it belongs, so that it cannot get to another place. */
function bodyHeaders({ size }: RequestBody, at: number): Readonly<Record<string, string>> {
  const range = size === undefined || Number.isNaN(at) ? undefined : formatChunkRange({ start: at, end: at + size });
  return {
    'content-type': mediaTypes.octetStream,
    ...(range === undefined ? {} : { 'content-range': range }),
  };
}

/** The query stays as the registry has written it: it may be signed. */
function withDigest(location: URL, digest: Digest): URL {
  const url = new URL(location);
  url.search = `${url.search === '' ? '?' : `${url.search}&`}digest=${encodeURIComponent(digest)}`;
  return url;
}

/** The size of a blob that is stored, if the answer says it. */
export function sizeIn(answer: Answer): number | undefined {
  const size = parseUploadProgress(null, answer.headers.get('upload-offset'));
  return typeof size === 'number' ? size : undefined;
}

/** Where an answer says that an upload goes on. Relative to where the answer came from, also after a redirect. */
function locationOf(transport: Transport, answer: Answer, location: string): URL {
  const url = urlIn(location, answer.url);
  const { base } = transport;
  // What stands behind a proxy that ends TLS may not know of it.
  if (url?.protocol === 'http:' && base.protocol === 'https:' && url.host === base.host) url.protocol = 'https:';
  if (url === undefined || !isSafe(url, base)) {
    throw transport.wrongAnswer(answer, 'has a Location that leads nowhere');
  }
  url.hash = '';
  return url;
}
