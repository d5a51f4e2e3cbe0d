// A blob in a response with a Content-Encoding: which of its two forms is the blob.
import { digestOf, isRegistryError, splitDigest, VerifyingReader, wrongDigest } from '../../../model/index.ts';
import type { Digest } from '../../../model/index.ts';
import { concat } from '../shared/index.ts';
import type { ClientResponse } from '../shared/index.ts';

import type { BlobPart } from './blob-part.ts';

/** The form of a response's body that is the blob: what was sent, or what it is once decoded. */
export type BlobForm = 'sent' | 'decoded';

/** Bytes in memory, while the form is not known. */
const maxHeld = 8 * 1024 * 1024;

/** Bytes of the decoded form in memory. */
const maxDecoded = 64 * 1024 * 1024;

/** How the whole blob is requested, and what is known of it. */
export interface EncodedBlob {
  /** The digest of the blob. */
  digest: Digest;
  /** Bytes of the blob, if they are known. */
  size: number | undefined;
  /** The form, if an earlier response has told. */
  form: BlobForm | undefined;
  /** Requests the whole blob. */
  getWhole(): Promise<ClientResponse>;
}

/**
 * The blob in a response that a gateway has encoded, or that was stored with an encoding's name. The form with the
 * digest is the blob. A short body is kept in memory to find out. The length of a long one tells; if it cannot, the
 * body is read twice.
 *
 * @param first the response to a request for the whole blob, or for a part of it
 * @throws RegistryError DIGEST_INVALID if neither form has the digest
 */
export async function partOfEncoded(
  first: ClientResponse,
  blob: EncodedBlob,
): Promise<{ part: BlobPart; form: BlobForm }> {
  let response = first;
  if (response.status !== 200) {
    await response.discard();
    response = await blob.getWhole();
  }
  if (!response.isEncoded) return { part: { response, start: 0, size: blob.size }, form: 'sent' };
  const length = lengthOf(response);
  let form =
    blob.form ??
    (length !== undefined && length > maxHeld && blob.size !== undefined ? formBy(length, blob.size) : undefined);
  if (form === undefined) {
    const found = await findForm(response, blob.digest);
    if (found.bytes !== undefined) return { part: partInMemory(response, found.bytes), form: found.form };
    ({ form } = found);
    response = await blob.getWhole();
  }
  const size = form === 'sent' ? length : blob.size;
  return { part: { response: form === 'sent' ? asSent(response) : response, start: 0, size }, form };
}

function formBy(length: number, size: number): BlobForm {
  return length === size ? 'sent' : 'decoded';
}

/** Bytes that were sent, whatever they are. */
function lengthOf({ headers }: ClientResponse): number | undefined {
  const length = headers.get('content-length') ?? '';
  return /^\d+$/.test(length) ? Number(length) : undefined;
}

/** @returns bytes: the blob, if both of its forms are short */
async function findForm(response: ClientResponse, digest: Digest): Promise<{ form: BlobForm; bytes?: Uint8Array }> {
  const { algorithm } = splitDigest(digest);
  const held: Uint8Array[] = [];
  let size = 0;
  const reader = new VerifyingReader(response.sentBody(), { digest });
  try {
    for await (const piece of reader) {
      size += piece.length;
      if (size <= maxHeld) held.push(piece);
    }
  } catch (error) {
    if (!isRegistryError(error, 'DIGEST_INVALID')) throw error;
  }
  const form = reader.verified ? 'sent' : 'decoded';
  if (size > maxHeld) return { form };
  if (form === 'sent') return { form, bytes: concat(held) };
  const pieces: Uint8Array[] = [];
  let count = 0;
  for await (const piece of response.decoded(iterate(held))) {
    count += piece.length;
    if (count > maxDecoded) return { form: 'decoded' };
    pieces.push(piece);
  }
  const decoded = concat(pieces);
  const found = digestOf(decoded, algorithm);
  if (found !== digest) throw wrongDigest(digest, found);
  return { form: 'decoded', bytes: decoded };
}

async function* iterate(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  yield* pieces;
}

/** A response whose body has been read into memory. */
function partInMemory(response: ClientResponse, bytes: Uint8Array): BlobPart {
  const body = (): AsyncIterable<Uint8Array> => iterate(bytes.length === 0 ? [] : [bytes]);
  return { response: withBody(response, body), start: 0, size: bytes.length };
}

function asSent(response: ClientResponse): ClientResponse {
  return withBody(response, (how) => response.sentBody(how));
}

function withBody(response: ClientResponse, body: ClientResponse['body']): ClientResponse {
  return {
    status: 200,
    headers: response.headers,
    url: response.url,
    isEncoded: false,
    body,
    sentBody: body,
    decoded: (pieces) => pieces,
    bytes: (limit) => response.bytes(limit),
    json: (limit) => response.json(limit),
    discard: () => response.discard(),
  };
}
