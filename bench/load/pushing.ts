// Pushing blobs and manifests.
import type { Content } from '../content.ts';
import { header } from './answers.ts';
import type { Answer } from './answers.ts';
import { WrongAnswer, expectStatus } from './closed-loop.ts';
import type { Connection } from './connection.ts';

const octets = 'Content-Type: application/octet-stream\r\n';

/**
 * The requests of a push: one POST with the bytes; or a POST, and then a PUT with the bytes, a PATCH with the bytes and
 * an empty PUT, or the same with a PATCH in chunks, whose length the server does not know.
 */
export type BlobFlow = 'post' | 'post-put' | 'patch' | 'chunked';

/** Pushes a blob. Distribution specification, "Pushing a blob monolithically". */
export async function pushBlob(
  connection: Connection,
  repository: string,
  blob: Content,
  flow: BlobFlow,
): Promise<void> {
  const uploads = `POST /v2/${repository}/blobs/uploads/`;
  if (flow === 'post') {
    await expectStatus(201, connection, `${uploads}?digest=${blob.digest}`, octets, blob.bytes);
    return;
  }
  const started = await expectStatus(202, connection, uploads, 'Content-Length: 0\r\n');
  if (flow === 'post-put') {
    await expectStatus(201, connection, commitLine(started.head, blob.digest), octets, blob.bytes);
    return;
  }
  const patch = `PATCH ${location(started.head)}`;
  const patched =
    flow === 'patch'
      ? await expectStatus(202, connection, patch, octets, blob.bytes)
      : await sendInChunks(connection, patch, [inChunks(blob.bytes), lastChunk]);
  await expectStatus(201, connection, commitLine(nextHead(started, patched), blob.digest), 'Content-Length: 0\r\n');
}

/** Pushes a manifest. `reference` is a tag or the digest of the manifest. */
export async function pushManifest(
  connection: Connection,
  repository: string,
  reference: string,
  manifest: Content,
  mediaType: string,
): Promise<void> {
  const line = `PUT /v2/${repository}/manifests/${reference}`;
  await expectStatus(201, connection, line, `Content-Type: ${mediaType}\r\n`, manifest.bytes);
}

/** Starts an upload. Returns the path and the query of the PUT that commits it. */
export async function beginUpload(connection: Connection, repository: string, digest: string): Promise<string> {
  const started = await expectStatus(202, connection, `POST /v2/${repository}/blobs/uploads/`, 'Content-Length: 0\r\n');
  return commitLine(started.head, digest).slice('PUT '.length);
}

/** Pushes a blob that consists of pieces, with a POST and a PUT. */
export async function pushBlobPieces(
  connection: Connection,
  repository: string,
  { digest, pieces }: { readonly digest: string; readonly pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array> },
  size: number,
): Promise<void> {
  const started = await expectStatus(202, connection, `POST /v2/${repository}/blobs/uploads/`, 'Content-Length: 0\r\n');
  const line = commitLine(started.head, digest);
  const answer = await connection.sendPieces(line, octets, pieces, size);
  if (answer.status !== 201) throw new WrongAnswer(line, answer);
}

/** A blob of many equal pieces. */
export interface LargeBlob {
  readonly digest: string;
  /** Bytes of the blob. */
  readonly size: number;
  /** The blob repeats this piece. */
  readonly piece: Uint8Array;
}

/** Pushes a blob of many equal pieces. Each piece is sent when there is room for it. */
export async function pushLargeBlob(
  connection: Connection,
  repository: string,
  { digest, size, piece }: LargeBlob,
  flow: BlobFlow = 'patch',
): Promise<void> {
  const uploads = `POST /v2/${repository}/blobs/uploads/`;
  const send = async (line: string, status: number): Promise<Answer> => {
    const answer = await connection.sendPieces(line, octets, repeat(piece, size), size);
    if (answer.status !== status) throw new WrongAnswer(line, answer);
    return answer;
  };
  if (flow === 'post') {
    await send(`${uploads}?digest=${digest}`, 201);
    return;
  }
  const started = await expectStatus(202, connection, uploads, 'Content-Length: 0\r\n');
  if (flow === 'post-put') {
    await send(commitLine(started.head, digest), 201);
    return;
  }
  const patch = `PATCH ${location(started.head)}`;
  const patched =
    flow === 'patch' ? await send(patch, 202) : await sendInChunks(connection, patch, chunksOf(piece, size));
  await expectStatus(201, connection, commitLine(nextHead(started, patched), digest), 'Content-Length: 0\r\n');
}

/** Bytes of a chunk, as Go's clients send them. */
const chunkSize = 32 * 1024;
const lastChunk: Uint8Array = Buffer.from('0\r\n\r\n');

async function sendInChunks(connection: Connection, patch: string, chunks: Iterable<Uint8Array>): Promise<Answer> {
  const answer = await connection.sendPieces(patch, `${octets}Transfer-Encoding: chunked\r\n`, chunks, undefined);
  if (answer.status !== 202) throw new WrongAnswer(patch, answer);
  return answer;
}

/** The chunks of a large blob. The framed piece is made once, so that chunks cost the generator nothing more. */
function* chunksOf(piece: Uint8Array, size: number): Generator<Uint8Array> {
  const framed = inChunks(piece);
  let left = size;
  for (; left >= piece.length; left -= piece.length) yield framed;
  if (left > 0) yield inChunks(piece.subarray(0, left));
  yield lastChunk;
}

/** Returns bytes in the form of chunks, without the last, empty one. RFC 9112, section 7.1. */
export function inChunks(bytes: Uint8Array): Buffer {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += chunkSize) {
    const chunk = bytes.subarray(at, at + chunkSize);
    parts.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'));
  }
  return Buffer.concat(parts);
}

/** Returns the head with the location of the commit. Not every registry sends a Location again. */
function nextHead(started: Answer, patched: Answer): string {
  return header(patched.head, 'location') === undefined ? started.head : patched.head;
}

/** Returns the request line that commits the upload at the location of an answer. */
function commitLine(head: string, digest: string): string {
  const target = location(head);
  return `PUT ${target}${target.includes('?') ? '&' : '?'}digest=${digest}`;
}

/** Returns a location without its host, which some registries add. */
function location(head: string): string {
  const value = header(head, 'location');
  if (value === undefined) throw new Error(`no Location: ${head}`);
  return value.startsWith('/') ? value : value.slice(value.indexOf('/', value.indexOf('://') + 3));
}

function* repeat(piece: Uint8Array, size: number): Generator<Uint8Array> {
  for (let left = size; left > 0; left -= piece.length) yield left >= piece.length ? piece : piece.subarray(0, left);
}
