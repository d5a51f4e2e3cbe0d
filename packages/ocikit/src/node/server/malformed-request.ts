// Answers what never becomes a request of `node:http`, with the registry's kind of error.
import { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import { errorBody } from '../../http/wire/index.ts';
import { statusOfCode } from '../../model/index.ts';
import type { ErrorCode } from '../../model/index.ts';

/** Answers a request that Node's parser refused, as a listener of the server's event `clientError`. */
export function refuseMalformedRequest(error: Error & { code?: string }, socket: Socket): void {
  // Ignore the malformed bytes that follow: they must not cut the answer off.
  if (refused.has(socket)) return;
  const response = pendingResponse(socket);
  // An earlier request is still being answered. An answer now would be taken for its answer, so wait.
  if (response?.req.complete === true && error.code !== 'ECONNRESET') {
    socket.pause();
    if (!response.destroyed) response.once('close', () => refuseMalformedRequest(error, socket));
    return;
  }
  // Do not write an answer into the middle of another.
  if (error.code === 'ECONNRESET' || !socket.writable || response?.headersSent === true) {
    socket.destroy();
    return;
  }
  refuse(socket, ...errorFor(error.code));
}

/** Answers CONNECT, as a listener of the server's event `connect`. Node would close the connection in silence. */
export function refuseTunnel(socket: Socket): void {
  socket.on('error', () => undefined);
  const response = pendingResponse(socket);
  if (response !== undefined && !response.destroyed) response.once('close', () => refuseTunnel(socket));
  else if (socket.writable) {
    refuse(socket, 'UNSUPPORTED', 'this server is a registry and opens no tunnels', `Allow: ${methods}\r\n`);
    // Unread bytes would make the system reset the connection, and the answer would be lost.
    socket.resume();
  } else socket.destroy();
}

const methods = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

/**
 * Answers and ends the connection.
 *
 * @param fields further header fields, each with its line end
 */
function refuse(socket: Socket, code: ErrorCode, message: string, fields: string = ''): void {
  refused.add(socket);
  const status = statusOfCode[code];
  const body = errorBody({ errors: [{ code, message }] });
  socket.end(
    `HTTP/1.1 ${status} ${reasonOf[status] ?? 'Bad Request'}\r\nContent-Type: application/json\r\n` +
      `Docker-Distribution-API-Version: registry/2.0\r\nX-Content-Type-Options: nosniff\r\n${fields}` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
  closeLater(socket);
}

/** Closes a connection unless its client still sends its body: it may read the answer only then. */
function closeLater(socket: Socket): void {
  let seen = socket.bytesRead;
  let looks = 0;
  const timer = setInterval(() => {
    if (socket.bytesRead - seen < leastRate || ++looks === mostLooks) socket.destroy();
    seen = socket.bytesRead;
  }, 1000);
  timer.unref();
  socket.once('close', () => clearInterval(timer));
}

/** Seconds for which a client may send after its request was refused. */
const mostLooks = 30;
/** Bytes per second. */
const leastRate = 64 * 1024;

/** Connections whose malformed request was answered here. They are about to end. */
const refused = new WeakSet<Socket>();

const reasonOf: Readonly<Record<number, string>> = {
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};

function errorFor(cause: string | undefined): [ErrorCode, string] {
  if (cause === 'HPE_HEADER_OVERFLOW')
    return [
      'HEADERS_TOO_LARGE',
      'the request line and the headers are longer than this server allows: send a shorter query or fewer headers',
    ];
  if (cause === 'ERR_HTTP_REQUEST_TIMEOUT')
    return ['REQUEST_TIMEOUT', 'the headers of the request did not arrive in time'];
  return ['BAD_REQUEST', 'the request is not valid HTTP'];
}

/** The response that a connection sends next. Node keeps it in an internal field. */
function pendingResponse(socket: Socket): ServerResponse | undefined {
  const response: unknown = Reflect.get(socket, '_httpMessage');
  return response instanceof ServerResponse ? response : undefined;
}
