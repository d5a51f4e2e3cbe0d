// Pulling a large blob.
import { connect } from 'node:net';

import { AnswerReader } from './answers.ts';

/**
 * Pulls a blob through one buffer of 1 MiB, and discards the bytes.
 *
 * @returns the number of bytes of the body
 */
export function pullLargeBlob(port: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    let head = Buffer.alloc(0);
    let expected: number | undefined;
    let received = 0;
    const socket = connect({
      host: '127.0.0.1',
      port,
      onread: {
        buffer: Buffer.allocUnsafe(1024 * 1024),
        callback: (length, buffer) => {
          if (expected === undefined) {
            head = Buffer.concat([head, Buffer.from(buffer.buffer, buffer.byteOffset, length)]);
            const end = head.indexOf('\r\n\r\n');
            if (end === -1) return true;
            expected = lengthOf(head.subarray(0, end + 4), socket);
            received = head.length - end - 4;
          } else {
            received += length;
          }
          if (received >= expected) socket.destroy();
          return true;
        },
      },
    });
    socket.on('error', reject);
    socket.on('close', () => {
      if (received === expected) resolve(received);
      else reject(new Error(`GET ${path}: ${received} bytes came of ${expected ?? 'an unknown number'}`));
    });
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
  });
}

/** Returns the length of the body after a head. Returns NaN and ends the connection if no body follows. */
function lengthOf(head: Buffer, socket: { destroy(error: Error): unknown }): number {
  const answer = new AnswerReader().read(head, true);
  const length = Number(/\r\ncontent-length: *([0-9]+)/i.exec(answer?.head ?? '')?.[1] ?? NaN);
  if (answer?.status === 200 && !Number.isNaN(length)) return length;
  socket.destroy(new Error(`not a blob: ${head.toString()}`));
  return NaN;
}
