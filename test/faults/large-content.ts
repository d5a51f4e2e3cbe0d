// A large blob that takes no memory, and a server for it.
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';

import { listenOnFreePort } from '../../packages/ocikit/test/free-port.ts';
import { writePiece } from '../../packages/ocikit/test/write-piece.ts';

import type { Digest } from './content.ts';

const blockSize = 1024 * 1024;

/** Content of any size that takes no memory: a repeated block that starts with its own position. */
export class LargeContent {
  readonly size: number;
  readonly digest: Digest;
  readonly #block: Buffer = randomBytes(blockSize);

  /** @param size in bytes, whole MiB */
  constructor(size: number) {
    this.size = size;
    const hash = createHash('sha256');
    for (let at = 0; at < size; at += blockSize) hash.update(this.at(at));
    this.digest = `sha256:${hash.digest('hex')}`;
  }

  /** Returns the bytes from a position to the end of its block. */
  at(position: number): Buffer {
    const block = Buffer.from(this.#block);
    block.writeUInt32BE(Math.floor(position / blockSize));
    return block.subarray(position % blockSize);
  }
}

export interface Sent {
  /** Bytes of all bodies. */
  bytes: number;
  /** First position of each answer. */
  starts: number[];
}

/** A server of the content. */
export interface ContentServer {
  readonly host: string;
  readonly sent: Sent;
  close(): void;
}

/**
 * Serves the content as every blob, whole or from a position.
 *
 * @param cutAfter returns the number of bytes after which an answer, counted from 1, is cut off
 */
export async function serveContent(
  content: LargeContent,
  cutAfter: (answer: number) => number | undefined = () => undefined,
  onBytes: (sent: Sent) => void = () => undefined,
): Promise<ContentServer> {
  const sent: Sent = { bytes: 0, starts: [] };
  const server = createServer((request, response) => {
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    sent.starts.push(start);
    const { size, digest } = content;
    const headers = { 'Docker-Content-Digest': digest, 'Content-Length': size - start };
    if (start >= size) response.writeHead(416, { 'Content-Range': `bytes */${size}` }).end();
    else if (start === 0) response.writeHead(200, headers);
    else response.writeHead(206, { ...headers, 'Content-Range': `bytes ${start}-${size - 1}/${size}` });
    const end = Math.min(size, start + (cutAfter(sent.starts.length) ?? size));
    const send = async (): Promise<void> => {
      for (let at = start; at < end && !response.destroyed;) {
        const piece = content.at(at).subarray(0, end - at);
        await writePiece(response, piece);
        at += piece.length;
        sent.bytes += piece.length;
        onBytes(sent);
      }
      if (end === size) response.end();
      else response.destroy();
    };
    send().catch(() => response.destroy());
  });
  const host = `127.0.0.1:${await listenOnFreePort(server)}`;
  return {
    host,
    sent,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
