import { createServer as createHttpServer, ServerResponse } from 'node:http';
import type { Server as HttpServer, RequestListener, ServerOptions as HttpServerOptions } from 'node:http';
import { isIP } from 'node:net';
import type { Socket } from 'node:net';

import { createServer } from '../http/server/index.ts';
import type { ServerLimits, ServerOptions } from '../http/server/index.ts';
import { errorBody } from '../http/wire/index.ts';
import type { ErrorCode, Registry } from '../model/index.ts';
import { statusOfCode } from '../model/index.ts';

export interface ServeLimits extends ServerLimits {
  /** Bytes of all headers of a request; more is answered 431. Default: 16 KiB. */
  headersSize?: number | undefined;
  /** Milliseconds within which all headers have to come; later is answered 408. Default: 30,000. */
  headersTimeout?: number | undefined;
}

/** What a server proves by that it is the one. */
export interface ServeTls {
  /** Its certificate (PEM), and those between it and an authority after it. */
  cert: string | Uint8Array;
  /** Its private key (PEM). */
  key: string | Uint8Array;
}

export interface ServeOptions extends ServerOptions {
  /** Default: 127.0.0.1, this machine only. */
  host?: string | undefined;
  /** 0: any free one. Default: 5000. */
  port?: number | undefined;
  /** Serves HTTPS. Default: HTTP. */
  tls?: ServeTls | undefined;
  limits?: ServeLimits | undefined;
}

export interface Serving {
  /** `http://HOST:PORT`, or `https://…` */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /**
   * Takes no further requests and waits for the running ones.
   *
   * @param grace milliseconds after which those that still run are cut off; default: 10,000
   * @returns the number of connections that were cut off
   */
  close(grace?: number): Promise<number>;
}

/**
 * Serves a registry on a port.
 *
 * @example
 * const serving = await serve(createMemoryRegistry(), { port: 0 });
 * // … docker push 127.0.0.1:PORT/app:1
 * await serving.close();
 *
 * @throws Error as `node:net` gives it, for example EADDRINUSE
 */
export async function serve(registry: Registry, options: ServeOptions = {}): Promise<Serving> {
  const { host = '127.0.0.1', port = 5000, limits = {}, tls } = options;
  const address = await addressOf(host);
  const { node, connection, endConnections } = createServer(registry, {
    ...options,
    allowedHosts: isLoopback(address) ? [host, ...(options.allowedHosts ?? [])] : options.allowedHosts,
  });
  const headersSize = limits.headersSize ?? 16 * 1024;
  const server = await httpServer(
    tls,
    {
      maxHeaderSize: headersSize,
      headersTimeout: limits.headersTimeout ?? 30_000,
      connectionsCheckingInterval: 1000,
      keepAliveTimeout: 60_000,
      // A large push takes its time: what may not happen is a pause, and that is the handler's to watch.
      requestTimeout: 0,
      // The handler refuses a request without Host itself, with a body that a client of the registry can read.
      requireHostHeader: false,
    },
    node,
  );
  server.on('clientError', answerBrokenRequest);
  // Node would refuse an expectation that it does not know, in words of its own. RFC 9110 allows to ignore it.
  server.on('checkExpectation', node);
  server.on('connect', (_request, socket: Socket) => answerConnect(socket));
  takeConnections(server, tls === undefined ? 'connection' : 'secureConnection', (socket, handOver) =>
    connection(socket, headersSize, handOver),
  );
  const open = openConnections(server);
  await listen(server, address, port);
  const bound = portOf(server);
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    host,
    port: bound,
    close: (grace) => {
      endConnections();
      return closeServer(server, open, grace ?? 10_000);
    },
  };
}

/** Resolves a name as `node:net` does, so that the server knows whether it listens on this machine only. */
async function addressOf(host: string): Promise<string> {
  if (host === '' || isIP(host) !== 0) return host;
  const { lookup } = await import('node:dns/promises');
  return (await lookup(host)).address;
}

function isLoopback(address: string): boolean {
  return /^(?:127\.|::1(?:%|$)|::ffff:127\.)/i.test(address);
}

function portOf(server: HttpServer): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('the server has no port');
  return address.port;
}

async function httpServer(
  tls: ServeTls | undefined,
  options: HttpServerOptions,
  listener: RequestListener,
): Promise<HttpServer> {
  if (tls === undefined) return createHttpServer(options, listener);
  const https = await import('node:https');
  return https.createServer({ ...options, cert: Buffer.from(tls.cert), key: Buffer.from(tls.key) }, listener);
}

/**
 * Puts `take` before what the server does with a connection.
 *
 * @param event what the server is told of a connection by
 */
function takeConnections(
  server: HttpServer,
  event: 'connection' | 'secureConnection',
  take: (socket: Socket, handOver: (socket: Socket) => void) => void,
): void {
  const listeners = server.listeners(event);
  server.removeAllListeners(event);
  server.on(event, (socket: Socket) => {
    take(socket, (given) => {
      for (const listener of listeners) listener.call(server, given);
    });
  });
}

function openConnections(server: HttpServer): ReadonlySet<Socket> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  return open;
}

function listen(server: HttpServer, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: 1024 }, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

function closeServer(server: HttpServer, open: ReadonlySet<Socket>, grace: number): Promise<number> {
  return new Promise((resolve) => {
    let cutOff = 0;
    const idle = setInterval(() => server.closeIdleConnections(), 50);
    const cut = setTimeout(() => {
      cutOff = open.size;
      for (const socket of open) socket.destroy();
    }, grace);
    server.close(() => {
      clearInterval(idle);
      clearTimeout(cut);
      resolve(cutOff);
    });
    server.closeIdleConnections();
  });
}

/** What Node's parser refuses never becomes a request; the client gets the same kind of answer all the same. */
function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  // What comes after it is broken as well, and is not to cut the answer off.
  if (broken.has(socket)) return;
  const response = answerUnderWay(socket);
  // A request before the broken one: what is said now would be taken for its answer.
  if (response?.req.complete === true && error.code !== 'ECONNRESET') {
    socket.pause();
    if (!response.destroyed) response.once('close', () => answerBrokenRequest(error, socket));
    return;
  }
  // An answer that has begun must not have another one in its middle.
  if (error.code === 'ECONNRESET' || !socket.writable || response?.headersSent === true) {
    socket.destroy();
    return;
  }
  refuse(socket, ...brokenRequest(error.code));
}

/** A tunnel never becomes a request. Node would close its connection without a word. RFC 9110, section 9.3.6. */
function answerConnect(socket: Socket): void {
  socket.on('error', () => undefined);
  const response = answerUnderWay(socket);
  if (response !== undefined && !response.destroyed) response.once('close', () => answerConnect(socket));
  else if (socket.writable) {
    refuse(socket, 'UNSUPPORTED', 'this server is a registry and opens no tunnels', `Allow: ${methods}\r\n`);
    // Unread bytes would make the system reset the connection, and the answer would be lost.
    socket.resume();
  } else socket.destroy();
}

const methods = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

/** Answers without a handler, and ends the connection. */
function refuse(socket: Socket, code: ErrorCode, message: string, fields: string = ''): void {
  broken.add(socket);
  const status = statusOfCode[code];
  const body = errorBody({ errors: [{ code, message }] });
  socket.end(
    `HTTP/1.1 ${status} ${reasonOf[status] ?? 'Bad Request'}\r\nContent-Type: application/json\r\n` +
      `Docker-Distribution-API-Version: registry/2.0\r\nX-Content-Type-Options: nosniff\r\n${fields}` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
  // A client that does not close its side would hold the connection for ever.
  setTimeout(() => socket.destroy(), 1000).unref();
}

/** Those whose request was answered here: they end. */
const broken = new WeakSet<Socket>();

const reasonOf: Readonly<Record<number, string>> = {
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};

function brokenRequest(cause: string | undefined): [ErrorCode, string] {
  if (cause === 'HPE_HEADER_OVERFLOW')
    return [
      'HEADERS_TOO_LARGE',
      'the request line and the headers are too long together: send a shorter query or fewer headers',
    ];
  if (cause === 'ERR_HTTP_REQUEST_TIMEOUT')
    return ['REQUEST_TIMEOUT', 'the headers of the request did not come in time'];
  return ['BAD_REQUEST', 'the request is not HTTP'];
}

/** The answer that is sent next on a connection. Node keeps it where only its own code looks. */
function answerUnderWay(socket: Socket): ServerResponse | undefined {
  const response: unknown = Reflect.get(socket, '_httpMessage');
  return response instanceof ServerResponse ? response : undefined;
}
