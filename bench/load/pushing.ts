// Pushing blobs and manifests.
import type { Content } from '../content.ts';
import { header } from './answers.ts';
import { WrongAnswer, expectStatus } from './closed-loop.ts';
import type { Connection } from './connection.ts';

const octets = 'Content-Type: application/octet-stream\r\n';

/** The requests of a push: a POST and a PUT with the bytes, or one POST with the bytes. */
export type BlobFlow = 'post-put' | 'post';

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
  await expectStatus(201, connection, commitLine(started.head, blob.digest), octets, blob.bytes);
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

/** Pushes a blob of many equal pieces with a streamed PATCH and a PUT. */
export async function pushLargeBlob(
  connection: Connection,
  repository: string,
  blob: { readonly digest: string; readonly size: number; readonly piece: Uint8Array },
): Promise<void> {
  const started = await expectStatus(202, connection, `POST /v2/${repository}/blobs/uploads/`, 'Content-Length: 0\r\n');
  const patch = `PATCH ${location(started.head)}`;
  const patched = await connection.sendPieces(patch, octets, repeat(blob.piece, blob.size), blob.size);
  if (patched.status !== 202) throw new WrongAnswer(patch, patched);
  // Not every registry sends a Location again.
  const head = header(patched.head, 'location') === undefined ? started.head : patched.head;
  await expectStatus(201, connection, commitLine(head, blob.digest), 'Content-Length: 0\r\n');
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
