// Sending a reply over a socket, whatever its body is.
import type { OutgoingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';

import { everyAnswer, ConnectionCut, errorReply, isContent } from '../../shared/index.ts';
import type { Exchange, Reply } from '../../shared/index.ts';

import type { ResponseWriter } from './response-writer.ts';
import { beginSending, endWith, sendBytes, sendContent } from './send-body.ts';

/** Options of every adapter that sends replies over sockets. */
export interface SendOptions {
  /** Called when a reply fails after its handler returned. */
  onBodyError: (error: unknown, exchange: Exchange) => void;
  /** Milliseconds after which the connection of a client ends that reads nothing of an answer. */
  writeTimeout: number;
  /** Returns true if the connection has to end with the answer that is sent now. */
  isLastAnswer: () => boolean;
}

/** Bytes above which a body in memory is sent in pieces. */
const largeBody = 256 * 1024;

/**
 * Sends a reply. Rejects or throws if it fails after the head was written, or if a middleware cuts the connection.
 *
 * @returns undefined if everything was written at once: a promise costs more than a small answer
 */
export function sendReply(
  response: ResponseWriter,
  socket: Socket,
  exchange: Exchange,
  reply: Reply,
  options: SendOptions,
): Promise<void> | undefined {
  if (response.destroyed || socket.destroyed) return isContent(reply.body) ? reply.body.cancel() : undefined;
  const begin = (): void => {
    response.writeHead(reply.status, reply.headers as OutgoingHttpHeaders);
  };
  const failed = (error: unknown): void => {
    if (response.headersSent || response.destroyed || socket.destroyed || error instanceof ConnectionCut) throw error;
    // No byte is out yet: the content failed at its first byte, or HTTP does not allow a header of a middleware.
    options.onBodyError(error, exchange);
    answerError(response, error);
  };
  try {
    // Bytes that are in memory go out in one write with the head.
    const body = (isContent(reply.body) ? reply.body.ready?.('lent') : undefined) ?? reply.body;
    if (isContent(body)) return sendContent(response, socket, body, options.writeTimeout, begin).catch(failed);
    if (body instanceof Uint8Array && body.length > largeBody) {
      const sending = beginSending(socket, body);
      // The reply lives until it is sent, and its own bytes need not.
      reply.body = sending.bytes;
      return sendBytes(response, socket, sending, options.writeTimeout, begin).catch(failed);
    }
    begin();
    endWith(response, body);
  } catch (error) {
    failed(error);
  }
  return undefined;
}

function answerError(response: ResponseWriter, error: unknown): void {
  const { status, headers, body } = errorReply(error);
  response.writeHead(status, { ...headers, ...everyAnswer } as OutgoingHttpHeaders);
  endWith(response, body instanceof Uint8Array ? body : undefined);
}
