import { createServer as createHttpServer } from 'node:http';
import type { Server as HttpServer, RequestListener, ServerOptions as HttpServerOptions } from 'node:http';
import type { Socket } from 'node:net';

import { createServer } from '../../http/server/index.ts';
import type { ServerLimits, ServerOptions } from '../../http/server/index.ts';
import type { Registry } from '../../model/index.ts';

import { refuseMalformedRequest } from './malformed-request.ts';

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
   */
  close(grace?: number): Promise<void>;
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
  const { node, connection, endConnections } = createServer(registry, options);
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
    },
    node,
  );
  server.on('clientError', refuseMalformedRequest);
  takeConnections(server, tls === undefined ? 'connection' : 'secureConnection', (socket, handOver) =>
    connection(socket, headersSize, handOver),
  );
  const open = openConnections(server);
  await listen(server, host, port);
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('the server has no port');
  const { port: bound } = address;
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

function closeServer(server: HttpServer, open: ReadonlySet<Socket>, grace: number): Promise<void> {
  return new Promise((resolve) => {
    const idle = setInterval(() => server.closeIdleConnections(), 50);
    const cut = setTimeout(() => {
      for (const socket of open) socket.destroy();
    }, grace);
    server.close(() => {
      clearInterval(idle);
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
