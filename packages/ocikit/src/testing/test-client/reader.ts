// The reads of the test client.
import {
  createContent,
  digestOf,
  isRegistryError,
  manifestMediaTypes,
  mediaTypes,
  parseMediaType,
  resolveRange,
  splitDigest,
  wrongDigest,
} from '../../model/index.ts';
import type {
  BlobContent,
  ByteRange,
  CallOptions,
  Descriptor,
  Digest,
  ErrorCode,
  Manifest,
  Reader,
} from '../../model/index.ts';

import { answeredBlob } from './answered-blob.ts';
import { assertDigest, codeOfBadRequest, wrongAnswer } from './http.ts';
import type { Http } from './http.ts';

const accept = manifestMediaTypes.join(', ');

/** Reads blobs, manifests and tags. Distribution specification, "Pull". */
export function clientReader(http: Http): Reader {
  const head = async (
    url: URL,
    { signal }: CallOptions,
    headers: Readonly<Record<string, string>>,
    codes: { 400: ErrorCode | undefined; 404: ErrorCode },
  ): Promise<Response> => {
    const whenSilent = (status: number): ErrorCode | undefined =>
      status === 404 ? codes[404] : status === 400 ? codes[400] : undefined;
    return http.send({ method: 'HEAD', url, headers, signal, expect: [200], whenSilent });
  };

  const resolveBlob = async (repository: string, digest: Digest, options: CallOptions = {}): Promise<Descriptor> => {
    const url = http.blob(repository, digest);
    const codes = { 400: codeOfBadRequest(repository, { digest }), 404: 'BLOB_UNKNOWN' } as const;
    const response = await head(url, options, {}, codes);
    assertDigest(response, url, digest);
    return { mediaType: mediaTypes.octetStream, digest, size: sizeIn(response, url) };
  };

  const emptyContent = (descriptor: Descriptor, range: ByteRange): BlobContent =>
    createContent({ descriptor, range, source: { pieces: [] } });

  const getRange = async (
    repository: string,
    digest: Digest,
    range: ByteRange,
    { signal }: CallOptions,
  ): Promise<BlobContent> => {
    const header = rangeHeader(range);
    if (header === undefined) return emptyContent(await resolveBlob(repository, digest, { signal }), range);
    const url = http.blob(repository, digest);
    let response: Response;
    try {
      response = await http.send({ method: 'GET', url, headers: { range: header }, signal, expect: [200, 206, 416] });
    } catch (error) {
      if (isRegistryError(error, 'UNSUPPORTED')) throw wrongAnswer(url, 'refuses a range');
      throw error;
    }
    if (response.status === 416) {
      await response.body?.cancel();
      const size = Number(/^bytes \*\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1] ?? Number.NaN);
      const { start, end } = resolveRange(range, size);
      if (start !== end) throw wrongAnswer(url, `refuses ${header}, though there are ${size} bytes`);
      return emptyContent({ mediaType: mediaTypes.octetStream, digest, size }, range);
    }
    assertDigest(response, url, digest);
    if (response.status === 200) {
      const bytes = new Uint8Array(await response.arrayBuffer());
      const descriptor = { mediaType: mediaTypes.octetStream, digest, size: bytes.length };
      return createContent({ descriptor, range, signal, source: { pieces: [bytes] } });
    }
    const [, first, last, whole] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(response.headers.get('content-range') ?? '') ?? [];
    const size = Number(whole);
    const { start, end } = resolveRange(range, size);
    if (start !== Number(first) || end !== Number(last) + 1) {
      throw wrongAnswer(url, `to ${header} is ${response.headers.get('content-range') ?? 'without Content-Range'}`);
    }
    if (sizeIn(response, url) !== end - start) throw wrongAnswer(url, `to ${header} has the wrong Content-Length`);
    return answeredBlob(response, { mediaType: mediaTypes.octetStream, digest, size }, range, signal);
  };

  const resolve = async (
    url: URL,
    options: CallOptions,
    badRequest: ErrorCode | undefined,
    digest: Digest | undefined,
  ): Promise<Descriptor> => {
    const response = await head(url, options, { accept }, { 400: badRequest, 404: 'MANIFEST_UNKNOWN' });
    return manifestDescriptor(response, url, digest);
  };

  const get = async (url: URL, { signal }: CallOptions, digest: Digest | undefined): Promise<Manifest> => {
    const response = await http.send({ method: 'GET', url, headers: { accept }, signal, expect: [200] });
    const bytes = new Uint8Array(await response.arrayBuffer());
    const descriptor = manifestDescriptor(response, url, digest);
    const found = digestOf(bytes, splitDigest(descriptor.digest).algorithm);
    if (found !== descriptor.digest) throw wrongDigest(descriptor.digest, found);
    if (descriptor.size !== bytes.length) throw wrongAnswer(url, 'has another size than its Content-Length');
    return { descriptor, bytes };
  };

  return {
    async getBlob(repository, digest, options = {}) {
      const { range, signal } = options;
      if (range !== undefined) return getRange(repository, digest, range, options);
      const url = http.blob(repository, digest);
      const response = await http.send({ method: 'GET', url, signal, expect: [200] });
      assertDigest(response, url, digest);
      const descriptor = { mediaType: mediaTypes.octetStream, digest, size: sizeIn(response, url) };
      return answeredBlob(response, descriptor, undefined, signal);
    },
    resolveBlob,
    async getManifest(repository, digest, options = {}) {
      return get(http.manifest(repository, digest), options, digest);
    },
    async getTag(repository, tag, options = {}) {
      return get(http.tag(repository, tag), options, undefined);
    },
    async resolveManifest(repository, digest, options = {}) {
      return resolve(http.manifest(repository, digest), options, codeOfBadRequest(repository, { digest }), digest);
    },
    async resolveTag(repository, tag, options = {}) {
      return resolve(http.tag(repository, tag), options, codeOfBadRequest(repository, { tag }), undefined);
    },
  };
}

/** The `Range` header; undefined for an empty part, which the header cannot express. RFC 9110, section 14.1.2. */
function rangeHeader(range: ByteRange): string | undefined {
  const { start, end } = resolveRange(range, Number.MAX_SAFE_INTEGER);
  if (start === end) return undefined;
  if ('last' in range) return `bytes=-${range.last}`;
  return range.end === undefined ? `bytes=${start}-` : `bytes=${start}-${end - 1}`;
}

function sizeIn(response: Response, url: URL): number {
  const length = response.headers.get('content-length');
  if (length === null || !/^\d+$/.test(length)) throw wrongAnswer(url, `has the Content-Length ${length}`);
  return Number(length);
}

function manifestDescriptor(response: Response, url: URL, expected: Digest | undefined): Descriptor {
  const digest = response.headers.get('docker-content-digest') ?? '';
  if (expected !== undefined) assertDigest(response, url, expected);
  if (!isDigestShaped(digest)) throw wrongAnswer(url, `has the digest ${JSON.stringify(digest)}`);
  const mediaType = parseMediaType(response.headers.get('content-type') ?? '');
  if (mediaType === undefined) throw wrongAnswer(url, 'has no Content-Type');
  return { mediaType, digest, size: sizeIn(response, url) };
}

function isDigestShaped(text: string): text is Digest {
  return text.includes(':');
}
