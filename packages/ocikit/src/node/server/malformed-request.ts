import { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import { errorBody } from '../../http/wire/index.ts';
import { statusOfCode } from '../../model/index.ts';
import type { ErrorCode } from '../../model/index.ts';

/** What Node's parser refuses never becomes a request; the client gets the same kind of answer all the same. */
export function refuseMalformedRequest(error: Error & { code?: string }, socket: Socket): void {
  // What comes after it is broken as well, and is not to cut the answer off.
  if (refused.has(socket)) return;
  const response = pendingResponse(socket);
  // A request before the broken one: what is said now would be taken for its answer.
  if (response?.req.complete === true && error.code !== 'ECONNRESET') {
    socket.pause();
    if (!response.destroyed) response.once('close', () => refuseMalformedRequest(error, socket));
    return;
  }
  // An answer that has begun must not have another one in its middle.
  if (error.code === 'ECONNRESET' || !socket.writable || response?.headersSent === true) {
    socket.destroy();
    return;
  }
  refused.add(socket);
  const [code, message] = errorFor(error.code);
  const status = statusOfCode[code];
  const body = errorBody({ errors: [{ code, message }] });
  socket.end(
    `HTTP/1.1 ${status} ${reasonOf[status] ?? 'Bad Request'}\r\nContent-Type: application/json\r\n` +
      `Docker-Distribution-API-Version: registry/2.0\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
  // A client that does not close its side would hold the connection for ever.
  setTimeout(() => socket.destroy(), 1000).unref();
}

/** Those whose request was answered here: they end. */
const refused = new WeakSet<Socket>();

const reasonOf: Readonly<Record<number, string>> = {
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};

function errorFor(cause: string | undefined): [ErrorCode, string] {
  if (cause === 'HPE_HEADER_OVERFLOW') return ['HEADERS_TOO_LARGE', 'the headers of the request are too long'];
  if (cause === 'ERR_HTTP_REQUEST_TIMEOUT')
    return ['REQUEST_TIMEOUT', 'the headers of the request did not come in time'];
  return ['BAD_REQUEST', 'the request is not HTTP'];
}

/** The answer that is sent next on a connection. Node keeps it where only its own code looks. */
function pendingResponse(socket: Socket): ServerResponse | undefined {
  const response: unknown = Reflect.get(socket, '_httpMessage');
  return response instanceof ServerResponse ? response : undefined;
}
