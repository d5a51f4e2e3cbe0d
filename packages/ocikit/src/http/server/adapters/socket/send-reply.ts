import type { OutgoingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';

import { apiVersion, ConnectionCut, errorReply } from '../../shared/index.ts';
import type { Exchange, Reply } from '../../shared/index.ts';

import type { ResponseWriter } from './response-writer.ts';
import { endWith, sendBytes, sendContent } from './send-body.ts';

export interface SendOptions {
  exchange: Exchange;
  onBodyError: (error: unknown, exchange: Exchange) => void;
  /** Milliseconds after which a client that takes nothing is left. */
  writeTimeout: number;
}

/** Bytes; what has more is sent in pieces. */
const largeBody = 256 * 1024;

/**
 * Sends an answer; rejects if it fails when it has begun, or is to be cut off.
 *
 * @returns undefined if it has been sent: waiting for a promise takes longer than sending a small answer
 */
export function sendReply(
  response: ResponseWriter,
  socket: Socket,
  reply: Reply,
  options: SendOptions,
): Promise<void> | undefined {
  const { body } = reply;
  const isContent = typeof body === 'object' && 'cancel' in body;
  if (response.destroyed || socket.destroyed) return isContent ? body.cancel() : undefined;
  const begin = (): void => {
    response.writeHead(reply.status, reply.headers as OutgoingHttpHeaders);
  };
  const failed = (error: unknown): void => {
    if (response.headersSent || response.destroyed || socket.destroyed || error instanceof ConnectionCut) throw error;
    // Not a byte of the content could be had, or a header that a middleware made cannot be sent as it is.
    answerError(response, error, options);
  };
  if (isContent) return sendContent(response, socket, body, options.writeTimeout, begin).catch(failed);
  if (body instanceof Uint8Array && body.length > largeBody) {
    return sendBytes(response, socket, body, options.writeTimeout, begin).catch(failed);
  }
  try {
    begin();
    endWith(response, body);
  } catch (error) {
    failed(error);
  }
  return undefined;
}

function answerError(response: ResponseWriter, error: unknown, { exchange, onBodyError }: SendOptions): void {
  onBodyError(error, exchange);
  const { status, headers, body } = errorReply(error);
  response.writeHead(status, { ...headers, ...apiVersion } as OutgoingHttpHeaders);
  endWith(response, body instanceof Uint8Array ? body : undefined);
}
