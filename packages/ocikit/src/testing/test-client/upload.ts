// The uploads of the test client.
import { mediaTypes, RegistryError } from '../../model/index.ts';
import type {
  AppendOptions,
  BlobSource,
  BlobUpload,
  CallOptions,
  CommitOptions,
  Descriptor,
  Digest,
} from '../../model/index.ts';

import { assertSize, bodyOf } from './request-body.ts';
import type { Body } from './request-body.ts';
import { assertDigest, encode, wrongAnswer } from './http.ts';
import type { Http } from './http.ts';

const octets = { 'content-type': mediaTypes.octetStream };

/** The known state of an upload. */
export interface UploadState {
  /** The address for the next request. */
  location: URL;
  /** Bytes that the registry has; NaN if not known. */
  size: number;
  /** The least size of a chunk that the registry accepts, in bytes. */
  minimumChunk?: number | undefined;
}

/** The state of an upload, from the answer to the request that began it or asked about it. */
export function uploadStateIn(http: Http, request: URL, response: Response): UploadState {
  const minimum = response.headers.get('oci-chunk-min-length');
  return {
    location: http.location(response, request),
    size: sizeInResponse(response, request),
    minimumChunk: minimum === null ? undefined : Number(minimum),
  };
}

/** An upload. Distribution specification, "Pushing a blob in chunks". */
export class ClientUpload implements BlobUpload {
  readonly minimumChunk: number | undefined;
  readonly #http: Http;
  readonly #repository: string;
  #location: URL;
  #size: number;
  #busy = false;
  #committed = false;

  constructor(http: Http, repository: string, { location, size, minimumChunk }: UploadState) {
    this.#http = http;
    this.#repository = repository;
    this.#location = location;
    this.#size = size;
    this.minimumChunk = minimumChunk;
  }

  /** The part after `uploads/` in the location; the whole location if it has another form. */
  get id(): string {
    const { href, search } = this.#location;
    const { href: start } = uploadsOf(this.#http, this.#repository);
    return href.startsWith(start) && search === '' ? decodeURIComponent(href.slice(start.length)) : href;
  }

  get size(): number | undefined {
    return Number.isNaN(this.#size) ? undefined : this.#size;
  }

  append(source: BlobSource, options: AppendOptions = {}): Promise<number> {
    return this.#alone(async () => {
      const { signal } = options;
      const body = await this.#bodyOf(source, options);
      const headers = { ...octets, ...this.#contentRange(body, options) };
      if (body.length === 0) {
        await this.#ask(signal);
        return this.#size;
      }
      const url = this.#location;
      const response = await this.#http.send({
        method: 'PATCH',
        url,
        headers,
        body: body.content,
        signal,
        expect: [202],
      });
      this.#learn(url, response);
      body.assertSource();
      return this.#size;
    });
  }

  commit(digest: Digest, options: CommitOptions = {}): Promise<Descriptor> {
    return this.#alone(async () => {
      const { source, signal, onEvent } = options;
      const body = source === undefined ? undefined : await this.#bodyOf(source, options);
      const url = new URL(this.#location);
      url.searchParams.append('digest', digest);
      const headers = body === undefined ? {} : { ...octets, ...this.#contentRange(body, options) };
      const content = body?.content;
      let response: Response;
      try {
        response = await this.#http.send({ method: 'PUT', url, headers, body: content, signal, expect: [201] });
      } finally {
        // Report the error of the source, not the wrong digest that follows from it.
        body?.assertSource();
      }
      this.#committed = true;
      assertPushed(this.#http, response, url, digest);
      const size = await this.#sizeOfBlob(digest, body?.taken ?? 0);
      onEvent?.({ type: 'verified', repository: this.#repository, digest, size });
      onEvent?.({ type: 'done', repository: this.#repository, digest, size });
      return { mediaType: mediaTypes.octetStream, digest, size };
    });
  }

  async close(): Promise<void> {
    // An upload holds nothing between two requests.
  }

  async cancel({ signal }: CallOptions = {}): Promise<void> {
    if (this.#committed) return;
    await this.#http.send({ method: 'DELETE', url: this.#location, signal, expect: [204, 404] });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #alone<T>(call: () => Promise<T>): Promise<T> {
    if (this.#busy) throw new RegistryError('BLOB_UPLOAD_INVALID', 'another call of this upload is running');
    // A server answers a second commit again: the first answer may have been lost.
    if (this.#committed) throw new RegistryError('BLOB_UPLOAD_UNKNOWN', 'this upload was committed');
    this.#busy = true;
    try {
      return await call();
    } finally {
      this.#busy = false;
    }
  }

  #bodyOf(source: BlobSource, { size, signal, onEvent }: AppendOptions): Promise<Body> {
    const repository = this.#repository;
    const onBytes = (transferred: number): void => onEvent?.({ type: 'bytes', repository, size, transferred });
    return bodyOf(source, { size, signal, onBytes });
  }

  /** The range of a chunk. A stream of unknown length has none: then this compares the position. */
  #contentRange(body: Body, { at = this.#size, size = body.length }: AppendOptions): { 'content-range'?: string } {
    if (body.length === 0) assertSize(size, 0);
    if (Number.isNaN(at)) return {};
    if (size !== undefined && size > 0) return { 'content-range': `${at}-${at + size - 1}` };
    if (at !== this.#size && !Number.isNaN(this.#size))
      throw new RegistryError(
        'RANGE_INVALID',
        `the upload has ${this.#size} bytes, so it cannot continue at byte ${at}`,
      );
    return {};
  }

  async #ask(signal: AbortSignal | undefined): Promise<void> {
    const url = this.#location;
    this.#learn(url, await this.#http.send({ method: 'GET', url, signal, expect: [204] }));
  }

  #learn(request: URL, response: Response): void {
    const { location, size } = uploadStateIn(this.#http, request, response);
    this.#location = location;
    this.#size = size;
  }

  /** The size of the committed blob: the registry is asked if the size of the upload is not known. */
  async #sizeOfBlob(digest: Digest, sent: number): Promise<number> {
    if (!Number.isNaN(this.#size)) return this.#size + sent;
    const url = this.#http.blob(this.#repository, digest);
    const response = await this.#http.send({ method: 'HEAD', url, expect: [200] });
    return Number(response.headers.get('content-length'));
  }
}

/** The address at which uploads begin; theirs are usually below it. */
export function uploadsOf(
  http: Http,
  repository: string,
  query: Readonly<Record<string, string | undefined>> = {},
): URL {
  return http.address(repository, 'blobs/uploads/', query);
}

/** The address of an upload with this id. */
export function uploadAt(http: Http, repository: string, id: string): URL {
  if (/^https?:\/\//.test(id) && URL.canParse(id) && http.isHere(new URL(id))) return new URL(id);
  const uploads = uploadsOf(http, repository);
  // A URL drops these ids.
  if (['', '.', '..'].includes(id))
    throw new RegistryError('BLOB_UPLOAD_UNKNOWN', `the upload ${JSON.stringify(id)} does not exist`);
  return new URL(encode(id), uploads);
}

/** Throws if the answer does not name the location and the digest of the stored blob. */
export function assertPushed(http: Http, response: Response, request: URL, digest: Digest): void {
  http.location(response, request);
  assertDigest(response, request, digest);
}

/** The range `0-0` may mean one byte or none, so `Upload-Offset` is preferred. */
function sizeInResponse(response: Response, request: URL): number {
  const offset = response.headers.get('upload-offset');
  if (offset !== null && /^\d+$/.test(offset)) return Number(offset);
  const last = /^0-(\d+)$/.exec(response.headers.get('range') ?? '')?.[1];
  if (last !== undefined) return last === '0' ? 0 : Number(last) + 1;
  if (response.status === 202 && response.headers.get('range') === null) return 0;
  throw wrongAnswer(request, `has the range ${response.headers.get('range')}`);
}
