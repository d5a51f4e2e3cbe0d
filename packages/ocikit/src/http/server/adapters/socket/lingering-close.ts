// Closing a connection whose client still sends, so that the client can read its answer.
import type { Socket } from 'node:net';

/** Bytes that are received and discarded at most. */
const mostDiscarded = 128 * 1024 * 1024;
/** Milliseconds for which the client may send. */
const longest = 30_000;
/** Milliseconds for which the client may pause. */
const longestPause = 5000;
/** Milliseconds between two looks at a connection. */
const interval = 50;

/** Limits on the bytes that arrive while a connection closes. */
export interface LingerLimits {
  /** Bytes at most. */
  bytes: number;
  /** Milliseconds in all. */
  time: number;
  /** Milliseconds without a byte. */
  pause: number;
}

/**
 * Ends this side of a connection after what was written, and closes it once the client has ended its side. Within
 * limits, the client may go on sending: the system resets a connection that is closed with unread bytes, and a client
 * that sends everything before it reads would lose its answer. RFC 9112, section 9.6.
 *
 * The caller has to keep the connection flowing, and to discard the bytes.
 */
export function lingeringClose(
  socket: Socket,
  limits: LingerLimits = { bytes: mostDiscarded, time: longest, pause: longestPause },
): void {
  if (socket.destroyed) return;
  const startedAt = performance.now();
  const before = socket.bytesRead;
  let seen = before;
  let movedAt = startedAt;
  socket.end();
  const timer = setInterval(
    () => {
      const now = performance.now();
      if (socket.bytesRead !== seen) {
        seen = socket.bytesRead;
        movedAt = now;
      }
      const isOver = seen - before > limits.bytes || now - startedAt > limits.time || now - movedAt > limits.pause;
      if (isOver) socket.destroy();
    },
    Math.min(interval, limits.pause / 4),
  );
  timer.unref();
  socket.once('close', () => clearInterval(timer));
}
