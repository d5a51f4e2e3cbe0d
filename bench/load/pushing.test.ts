import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

import { describe, expect, onTestFinished, test } from 'vitest';

import { content, noise } from '../content.ts';
import { Connection } from './connection.ts';
import { inChunks, pushBlob, pushBlobPieces, pushLargeBlob } from './pushing.ts';
import type { BlobFlow } from './pushing.ts';

interface Received {
  readonly line: string;
  readonly length: string | undefined;
  readonly encoding: string | undefined;
  readonly bytes: Buffer;
}

/** A server that accepts each push, and keeps what came. */
async function serve(): Promise<{ connection: Connection; received: Received[] }> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const answer = async (): Promise<void> => {
      const bytes = await bytesOf(request);
      const { method = '', url = '', headers } = request;
      const { 'content-length': length, 'transfer-encoding': encoding } = headers;
      received.push({ line: `${method} ${url}`, length, encoding, bytes });
      const isCommit = url.includes('digest=');
      response.writeHead(isCommit ? 201 : 202, { location: '/v2/a/blobs/uploads/1?state=x' }).end();
    };
    void answer();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const connection = await Connection.open((server.address() as AddressInfo).port);
  onTestFinished(() => {
    connection.close();
    server.close();
  });
  return { connection, received };
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

const digestLine = (digest: string): string => `/v2/a/blobs/uploads/1?state=x&digest=${digest}`;

describe('a push', () => {
  const size = 200_001;
  const blob = content(noise(size, 3));

  test.each([
    ['post', 'small'],
    ['post-put', 'small'],
    ['patch', 'small'],
    ['chunked', 'small'],
    ['post', 'large'],
    ['post-put', 'large'],
    ['patch', 'large'],
    ['chunked', 'large'],
  ] as const)('in the shape %s sends all bytes of a %s blob, with its requests', async (flow: BlobFlow, kind) => {
    const { connection, received } = await serve();
    const { digest, bytes } = blob;
    if (kind === 'small') await pushBlob(connection, 'a', blob, flow);
    else await pushLargeBlob(connection, 'a', { digest, size, piece: bytes }, flow);

    const withBytes = received.filter((request) => request.bytes.length > 0);
    expect(withBytes).toHaveLength(1);
    expect(withBytes[0]?.bytes.equals(bytes)).toBe(true);
    expect(withBytes[0]?.length).toBe(flow === 'chunked' ? undefined : `${size}`);
    expect(withBytes[0]?.encoding).toBe(flow === 'chunked' ? 'chunked' : undefined);
    const start = 'POST /v2/a/blobs/uploads/';
    const patched = [start, 'PATCH /v2/a/blobs/uploads/1?state=x', `PUT ${digestLine(digest)}`];
    const lines = {
      post: [`${start}?digest=${digest}`],
      'post-put': [start, `PUT ${digestLine(digest)}`],
      patch: patched,
      chunked: patched,
    };
    expect(received.map(({ line }) => line)).toEqual(lines[flow]);
  });

  test('of a large blob repeats its piece, and cuts the last one', async () => {
    const { connection, received } = await serve();
    const piece = noise(1000, 4);
    const whole = Buffer.concat([piece, piece, piece.subarray(0, 500)]);
    const digest = `sha256:${createHash('sha256').update(whole).digest('hex')}`;
    await pushLargeBlob(connection, 'a', { digest, size: 2500, piece }, 'chunked');
    expect(received[1]?.bytes.equals(whole)).toBe(true);
  });

  test('of pieces sends them with one length', async () => {
    const { connection, received } = await serve();
    await pushBlobPieces(connection, 'a', { digest: 'sha256:x', pieces: [noise(3), noise(4)] }, 7);
    expect(received[1]?.length).toBe('7');
    expect(received[1]?.bytes.equals(Buffer.concat([noise(3), noise(4)]))).toBe(true);
  });
});

test('chunks have at most 32 KiB each, and their sizes in hexadecimal', () => {
  const chunks = inChunks(Buffer.alloc(32 * 1024 + 10)).toString('latin1');
  expect(chunks.startsWith('8000\r\n')).toBe(true);
  expect(chunks.slice(6 + 32 * 1024)).toBe(`\r\na\r\n${'\0'.repeat(10)}\r\n`);
});
