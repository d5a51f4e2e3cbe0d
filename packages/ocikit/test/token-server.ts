import { createServer } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http';

import { listenOnFreePort } from './free-port.ts';

/** A request as it came to a {@link LoopbackServer}. */
export interface SeenRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: string;
}

/** A real server on a free port of this machine that remembers what it was asked. */
export interface LoopbackServer {
  origin: string;
  host: string;
  seen: SeenRequest[];
  close(): void;
}

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

export interface TokenServer extends LoopbackServer {
  /** Tokens that it has granted, with what for; deleting one revokes it. */
  granted: Map<string, readonly string[]>;
}

export interface TokenServerOptions {
  /** Whether a request may have a token; undefined: it may. A status and a body: it is refused so. */
  refuse?: (request: SeenRequest, scope: readonly string[]) => { status: number; body?: string } | undefined;
  /** Changes what is answered. */
  answer?: (token: string, request: SeenRequest) => unknown;
  address?: string;
}

/** Grants a new token for every request that it does not refuse. */
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

export interface GuardedRegistry extends LoopbackServer {
  /** The status of each answer. */
  statuses: number[];
}

/** A registry that answers `200` to whoever has a token for what its path says: `/repository:a:pull`. */
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
