// A server that sends the answers of a registry without the work: the upper limit for any registry in Node.
import { hash } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';

import { imageIndexType } from '../content.ts';

// It checks nothing, hashes nothing during a measurement, and keeps only a few blobs.

const octets = 'application/octet-stream';
const keptBlobs = 4096;
const keptSize = 65_536;
const bodyPiece: Buffer = Buffer.alloc(1024 * 1024, 0x5a);

interface Kept {
  readonly bytes: Buffer;
  readonly headers: Record<string, string | number>;
}

/** Manifests by path. */
const manifests = new Map<string, Kept>();
/** Blobs by digest. For a large blob only the size is kept. */
const blobs = new Map<string, Kept | number>();
const lists = new Map<string, Kept>();
const manifestsByDigest = new Map<string, Kept>();
let unhashed: Kept[] = [];
let uploads = 0;

createServer((request, response) => {
  const { url = '/', method = '' } = request;
  switch (method) {
    case 'GET':
    case 'HEAD':
      return read(method, url, response);
    case 'POST':
      return receive(request, (size, bytes) => post(url, size, bytes, response));
    case 'PATCH':
      return receive(request, (size) => patch(url, size, response));
    case 'PUT':
      return receive(request, (size, bytes) => put(url, request, size, bytes, response));
    default:
      response.writeHead(405).end();
  }
}).listen(Number(process.argv[2]), '127.0.0.1');

function read(method: string, url: string, response: ServerResponse): void {
  const kept = find(url);
  if (kept === undefined) {
    response.writeHead(404, { 'content-length': 0 }).end();
    return;
  }
  if (typeof kept === 'number') {
    response.writeHead(200, { 'content-type': octets, 'content-length': kept });
    if (method === 'HEAD') response.end();
    else send(kept, response);
    return;
  }
  response.writeHead(200, kept.headers);
  if (method === 'HEAD') response.end();
  else response.end(kept.bytes);
}

function find(url: string): Kept | number | undefined {
  const manifest = manifests.get(url) ?? lists.get(url);
  if (manifest !== undefined) return manifest;
  if (url === '/v2/') return json(Buffer.from('{}'), 'application/json');
  const digest = url.slice(url.lastIndexOf('/') + 1);
  if (url.includes('/blobs/')) return blobs.get(digest);
  if (url.includes('/manifests/')) return byDigest().get(digest);
  const list = makeList(url);
  if (list !== undefined) lists.set(url, list);
  return list;
}

/** Returns the manifests by digest. It hashes new ones only now, so that hashing does not slow pushes. */
function byDigest(): Map<string, Kept> {
  if (unhashed.length > 0) {
    for (const kept of unhashed) manifestsByDigest.set(`sha256:${hash('sha256', kept.bytes)}`, kept);
    unhashed = [];
  }
  return manifestsByDigest;
}

/** Returns a page with the requested number of invented tags or repositories, or all referrers. */
function makeList(url: string): Kept | undefined {
  const { pathname, searchParams } = new URL(url, 'http://bare');
  const count = Number(searchParams.get('n') ?? 1000);
  const names = (prefix: string): string[] =>
    Array.from({ length: count }, (_, i) => prefix + String(i).padStart(8, '0'));
  if (pathname.endsWith('/tags/list')) return json(Buffer.from(JSON.stringify({ name: 'bench', tags: names('tag-') })));
  if (pathname === '/v2/_catalog') return json(Buffer.from(JSON.stringify({ repositories: names('bench/catalog/') })));
  const subject = /\/referrers\/([^/]+)$/.exec(pathname)?.[1];
  return subject === undefined ? undefined : referrers(subject);
}

function referrers(subject: string): Kept {
  const found: unknown[] = [];
  for (const [digest, { bytes }] of byDigest()) {
    const manifest = JSON.parse(bytes.toString()) as Record<string, { digest?: string } | undefined>;
    if (manifest['subject']?.digest !== subject) continue;
    const { mediaType, artifactType, annotations } = manifest;
    found.push({ mediaType, digest, size: bytes.length, artifactType, annotations });
  }
  const index = { schemaVersion: 2, mediaType: imageIndexType, manifests: found };
  return json(Buffer.from(JSON.stringify(index)), imageIndexType);
}

function json(bytes: Buffer, type = 'application/json'): Kept {
  return { bytes, headers: { 'content-type': type, 'content-length': bytes.length } };
}

function send(size: number, response: ServerResponse): void {
  let left = size;
  const more = (): void => {
    while (left > 0) {
      const piece = left >= bodyPiece.length ? bodyPiece : bodyPiece.subarray(0, left);
      left -= piece.length;
      if (!response.write(piece)) {
        response.once('drain', more);
        return;
      }
    }
    response.end();
  };
  more();
}

/** Reads a body to its end, and keeps its bytes if it is small. */
function receive(request: IncomingMessage, then: (size: number, bytes: Buffer | undefined) => void): void {
  const pieces: Buffer[] = [];
  let size = 0;
  request.on('data', (piece: Buffer) => {
    size += piece.length;
    if (size <= keptSize) pieces.push(piece);
  });
  request.on('end', () =>
    then(size, size > keptSize ? undefined : pieces.length === 1 ? pieces[0] : Buffer.concat(pieces)),
  );
}

function post(url: string, size: number, bytes: Buffer | undefined, response: ServerResponse): void {
  const query = url.indexOf('?digest=');
  if (query === -1) {
    const location = `${url}${(uploads += 1)}`;
    response.writeHead(202, { location, range: '0-0', 'docker-upload-uuid': `${uploads}`, 'content-length': 0 }).end();
    return;
  }
  keepBlob(url.slice(query + 8), size, bytes);
  created(url, url.slice(query + 8), response);
}

/** Puts the received size into the location, so that the PUT repeats it. */
function patch(url: string, size: number, response: ServerResponse): void {
  response.writeHead(202, { location: `${url}?size=${size}`, range: `0-${size - 1}`, 'content-length': 0 }).end();
}

function put(
  url: string,
  request: IncomingMessage,
  size: number,
  bytes: Buffer | undefined,
  response: ServerResponse,
): void {
  const digestAt = url.indexOf('digest=');
  if (digestAt !== -1) {
    const digest = url.slice(digestAt + 7);
    const patched = /\?size=([0-9]+)/.exec(url)?.[1];
    keepBlob(digest, patched === undefined ? size : Number(patched), patched === undefined ? bytes : undefined);
    created(url, digest, response);
    return;
  }
  const type = request.headers['content-type'] ?? octets;
  const digest = `sha256:${'0'.repeat(64)}`;
  const held = bytes ?? Buffer.alloc(0);
  const headers = {
    'content-type': type,
    'docker-content-digest': digest,
    etag: `"${digest}"`,
    'content-length': size,
  };
  if (manifests.size < keptBlobs) {
    const kept = { bytes: held, headers };
    manifests.set(url, kept);
    unhashed.push(kept);
    lists.clear();
  }
  created(url, digest, response);
}

function keepBlob(digest: string, size: number, bytes: Buffer | undefined): void {
  if (blobs.size >= keptBlobs) return;
  const headers = {
    'content-type': octets,
    'docker-content-digest': digest,
    etag: `"${digest}"`,
    'content-length': size,
  };
  blobs.set(digest, bytes === undefined ? size : { bytes, headers });
}

function created(location: string, digest: string, response: ServerResponse): void {
  response.writeHead(201, { location, 'docker-content-digest': digest, 'content-length': 0 }).end();
}
