// A token server and a guarded registry, for tests of authentication.
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http';

import { listenOnFreePort } from './free-port.ts';

/** A request as it came to a {@link LoopbackServer}. */
export interface SeenRequest {
  /** Such as `GET`. */
  method: string;
  /** Without the query. */
  path: string;
  /** The parameters of the query. */
  query: URLSearchParams;
  /** By names in lower case. */
  headers: IncomingHttpHeaders;
  /** The whole body, as text. */
  body: string;
}

/** A server on a free port of this machine that records its requests. */
export interface LoopbackServer {
  /** `http://HOST:PORT` */
  origin: string;
  /** `HOST:PORT` */
  host: string;
  /** All requests, in order. */
  seen: SeenRequest[];
  /** Stops the server, and ends its connections. */
  close(): void;
}

/** Starts a server that records its requests. */
export async function listen(
  answer: (request: SeenRequest, response: ServerResponse) => unknown,
  address = '127.0.0.1',
): Promise<LoopbackServer> {
  const seen: SeenRequest[] = [];
  const server: Server = createServer((message, response) => {
    void (async () => {
      const request = await read(message);
      seen.push(request);
      await answer(request, response);
    })();
  });
  const host = `${address}:${await listenOnFreePort(server, address)}`;
  return {
    origin: `http://${host}`,
    host,
    seen,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function read(message: IncomingMessage): Promise<SeenRequest> {
  const pieces: Buffer[] = [];
  for await (const piece of message) pieces.push(piece as Buffer);
  const url = new URL(message.url ?? '/', 'http://localhost');
  return {
    method: message.method ?? '',
    path: url.pathname,
    query: url.searchParams,
    headers: message.headers,
    body: Buffer.concat(pieces).toString(),
  };
}

/** A server that issues tokens. */
export interface TokenServer extends LoopbackServer {
  /** The scopes of each token that it has issued. Deleting a token revokes it. */
  granted: Map<string, readonly string[]>;
}

/** A server that issues tokens. */
/** Options of {@link startTokenServer}. */
export interface TokenServerOptions {
  /** Gives the refusal of a request, or undefined to issue a token. Default: every request gets a token. */
  refuse?: (request: SeenRequest, scope: readonly string[]) => { status: number; body?: string } | undefined;
  /** Gives the answer for a token, to be sent as JSON. Default: the token, valid for 300 s. */
  answer?: (token: string, request: SeenRequest) => unknown;
  /** The IP address to listen on. Default: 127.0.0.1. */
  address?: string;
}

/** Starts a server that issues a new token for every request that it does not refuse. */
export async function startTokenServer(options: TokenServerOptions = {}): Promise<TokenServer> {
  const { refuse, answer = (token) => ({ token, expires_in: 300 }), address } = options;
  const granted = new Map<string, readonly string[]>();
  const server = await listen((request, response) => {
    const scope =
      request.method === 'POST'
        ? (new URLSearchParams(request.body).get('scope')?.split(' ') ?? [])
        : request.query.getAll('scope');
    const refusal = refuse?.(request, scope);
    if (refusal !== undefined) {
      response.writeHead(refusal.status).end(refusal.body);
      return;
    }
    const token = `token-${granted.size + 1}`;
    granted.set(token, scope);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(answer(token, request)));
  }, address);
  return { ...server, granted };
}

/** A registry that demands authorization. */
export interface GuardedRegistry extends LoopbackServer {
  /** The status of each answer. */
  statuses: number[];
}

/**
 * Starts a registry that answers 200 to an authorized request, and else 401 with a challenge.
 *
 * @param challenge gives the challenge for the scope that the path names, such as `/repository:a:pull`
 * @param allows whether the `Authorization` is good for that scope
 */
export async function startGuardedRegistry(
  challenge: (needed: string, request: SeenRequest) => string | string[],
  allows: (authorization: string | undefined, needed: string) => boolean,
): Promise<GuardedRegistry> {
  const statuses: number[] = [];
  const server = await listen((request, response) => {
    const needed = decodeURIComponent(request.path.slice(1));
    const allowed = allows(request.headers.authorization, needed);
    statuses.push(allowed ? 200 : 401);
    if (allowed) response.writeHead(200).end('welcome');
    else {
      response.setHeader('www-authenticate', challenge(needed, request));
      response.writeHead(401, { 'content-type': 'application/json' });
      response.end('{"errors":[{"code":"UNAUTHORIZED","message":"who are you?"}]}');
    }
  });
  return { ...server, statuses };
}
