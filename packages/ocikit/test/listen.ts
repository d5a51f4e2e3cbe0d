// HTTP servers for the time of a test.
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';

import { onTestFinished } from 'vitest';

import { listenOnFreePort } from './free-port.ts';

/** Handles a request. */
export type Handle = (request: IncomingMessage, response: ServerResponse) => unknown;

/** Starts an HTTP server on a free port of this machine, for as long as the test runs. Gives its `HOST:PORT`. */
export async function listen(handle: Handle): Promise<string> {
  const server = createServer((request, response) => void handle(request, response));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${await listenOnFreePort(server)}`;
}

/** The whole body of a request, as text. */
export async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString();
}
