// Serves a registry on a port.
import { createServer as createHttpServer } from 'node:http';
import type { Server as HttpServer, RequestListener, ServerOptions as HttpServerOptions } from 'node:http';
import { isIP } from 'node:net';
import type { Socket } from 'node:net';
import type { SecureContextOptions, Server as TlsServer, TlsOptions } from 'node:tls';

import { createServer } from '../../http/server/index.ts';
import type { ServerLimits, ServerOptions } from '../../http/server/index.ts';
import type { Registry } from '../../model/index.ts';

import { connectionsInHandshake } from './handshakes.ts';
import { refuseMalformedRequest, refuseTunnel } from './malformed-request.ts';
import { limitConnections, mostOpenFiles } from './open-files.ts';

/** The limits of {@link serve}. */
export interface ServeLimits extends ServerLimits {
  /**
   * Bytes of all headers of a request, which are many if it asks for 1,024 ranges. Longer headers are answered with
   * 431. Default: 65,536 (64 KiB).
   */
  headersSize?: number | undefined;
  /**
   * Milliseconds within which all headers must arrive, and a TLS handshake must end. Later headers are answered with
   * 408. Default: 30,000.
   */
  headersTimeout?: number | undefined;
}

/** The server's TLS certificate and key. */
export interface ServeTls {
  /** The server's certificate (PEM), followed by the intermediate certificates. */
  cert: string | Uint8Array;
  /** The certificate's private key (PEM). */
  key: string | Uint8Array;
  /**
   * The authorities (PEM) that vouch for certificates of clients. The server then asks each client for a certificate; a
   * client without one is served too, and a middleware finds a verified one in `exchange.tls`. Default: it asks none.
   */
  clientCa?: string | Uint8Array | undefined;
}

/** Options of {@link serve}. */
export interface ServeOptions extends ServerOptions {
  /** The address to listen on; `0.0.0.0` for all IPv4 addresses. Default: `127.0.0.1`, for this machine only. */
  host?: string | undefined;
  /** The port to listen on; 0: any free port. Default: 5000. */
  port?: number | undefined;
  /** Serve HTTPS with this certificate. Default: HTTP. */
  tls?: ServeTls | undefined;
  /** Limits for requests. */
  limits?: ServeLimits | undefined;
}

/** A running server. */
export interface Serving {
  /** `http://HOST:PORT`, or `https://HOST:PORT`. */
  readonly url: string;
  /** The address that it listens on. */
  readonly host: string;
  /** The port that it listens on. */
  readonly port: number;
  /**
   * Accepts no further requests, and waits for the running ones.
   *
   * @param grace milliseconds after which the requests that still run are cut off. Default: 10,000
   * @returns the number of connections that were cut off
   */
  close(grace?: number): Promise<number>;
  /**
   * Uses another certificate for new connections.
   *
   * @throws Error if the certificate or the key cannot be read, or they do not belong together: the former ones stay in
   *   use. TypeError if the server has no TLS, or `clientCa` is new or missing
   */
  setTls(tls: ServeTls): void;
}

/**
 * Serves a registry on a port. Resolves when the server accepts connections.
 *
 * @example
 * const serving = await serve(createMemoryRegistry(), { port: 0 });
 * // … docker push 127.0.0.1:PORT/app:1
 * await serving.close();
 *
 * @throws Error of `node:net`, for example EADDRINUSE if the port is in use; TypeError if the registry is missing
 */
export async function serve(registry: Registry, options: ServeOptions = {}): Promise<Serving> {
  const { host = '127.0.0.1', port = 5000, limits = {}, tls } = options;
  const address = await addressOf(host);
  const { node, connection, endConnections } = createServer(registry, {
    ...options,
    allowedHosts: isLoopback(address) ? [host, ...(options.allowedHosts ?? [])] : options.allowedHosts,
  });
  const { headersSize = 64 * 1024, headersTimeout = 30_000 } = limits;
  const server = await httpServer(
    tls,
    {
      maxHeaderSize: headersSize,
      headersTimeout,
      connectionsCheckingInterval: 1000,
      keepAliveTimeout: Math.max(limits.keepAliveTimeout ?? 60_000, 1000),
      // A large push may take long. The request handler limits the pauses instead.
      requestTimeout: 0,
      // The handler refuses a request without Host itself, with a body that a client of the registry can read.
      requireHostHeader: false,
    },
    node,
  );
  // Newer Nodes add a second. The listener adds more, in every Node.
  Object.assign(server, { keepAliveTimeoutBuffer: 0 });
  server.on('clientError', refuseMalformedRequest);
  // Node would refuse an expectation that it does not know, in words of its own. RFC 9110 allows to ignore it.
  server.on('checkExpectation', node);
  server.on('connect', (_request, socket: Socket) => refuseTunnel(socket));
  takeConnections(server, tls === undefined ? 'connection' : 'secureConnection', (socket, handOver) =>
    connection(socket, headersSize, handOver),
  );
  const open = openConnections(server);
  const inHandshake = tls === undefined ? undefined : connectionsInHandshake(server);
  const files = await mostOpenFiles();
  await listen(server, address, port);
  limitConnections(server, files, options.logger);
  const bound = portOf(server);
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    host,
    port: bound,
    close: (grace) => {
      endConnections();
      // A client that has not finished its handshake has sent no request.
      for (const socket of inHandshake?.values() ?? []) socket.destroy();
      return closeServer(server, open, grace ?? 10_000);
    },
    setTls: (next) => setTls(server, tls, next),
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
  // Node would let a client that begins no handshake keep its connection for two minutes.
  const handshakeTimeout = options.headersTimeout;
  return https.createServer({ ...options, ...secureContextOf(tls), handshakeTimeout }, listener);
}

/** @param first the option `tls` with which the server was started */
function setTls(server: HttpServer, first: ServeTls | undefined, next: ServeTls): void {
  if (first === undefined || !isTlsServer(server)) throw new TypeError('the server was started without TLS');
  if ((first.clientCa === undefined) !== (next.clientCa === undefined)) {
    throw new TypeError('whether clients are asked for certificates cannot change while the server runs');
  }
  server.setSecureContext(secureContextOf(next));
}

function isTlsServer(server: object): server is TlsServer {
  return 'setSecureContext' in server;
}

function secureContextOf({ cert, key, clientCa }: ServeTls): SecureContextOptions & TlsOptions {
  const context = { cert: Buffer.from(cert), key: Buffer.from(key), ciphers: lighterFirst() };
  if (clientCa === undefined) return context;
  // Middlewares decide about clients without a certificate: some of them log in with a password.
  return { ...context, ca: Buffer.from(clientCa), requestCert: true, rejectUnauthorized: false };
}

/**
 * Node's ciphers with 128 bits of AES first, as Go's servers have them: AES takes less time than with 256 bits, and the
 * handshake hashes faster. The server's order decides.
 */
function lighterFirst(): string {
  // The user may have given Node another list.
  const { DEFAULT_CIPHERS: ciphers } = process.getBuiltinModule('node:tls');
  const names = ciphers.split(':');
  const lighter = 'TLS_AES_128_GCM_SHA256';
  return names.includes(lighter) ? [lighter, ...names.filter((name) => name !== lighter)].join(':') : ciphers;
}

/**
 * Gives each new connection to `take` instead of the server. `take` may hand it over to the server.
 *
 * @param event the server's event for a new connection
 */
function takeConnections(
  server: HttpServer,
  event: 'connection' | 'secureConnection',
  take: (socket: Socket, handOver: (socket: Socket) => void) => void,
): void {
  const listeners = server.listeners(event);
  server.removeAllListeners(event);
  server.on(event, (socket: Socket) => {
    // A client may end its side before it reads its answer. Without TLS, Node sets this itself.
    socket.allowHalfOpen = true;
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
