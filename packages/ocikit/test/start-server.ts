// A registry server on a free port, for tests of the server.
import { request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';

import { onTestFinished } from 'vitest';

import type { Registry } from '../src/model/index.ts';
import { serve } from '../src/node/index.ts';
import type { ServeOptions } from '../src/node/index.ts';

/** An answer as it came. */
export interface RawResponse {
  /** The HTTP status. */
  status: number;
  /** By names in lower case. */
  headers: IncomingHttpHeaders;
  /** The whole body, as text. */
  body: string;
  /** The code of the first error in the body. */
  code: string | undefined;
}

/** A server that is listening. */
export interface TestServer {
  /** `http://127.0.0.1:PORT` */
  url: string;
  /** The port that it listens on. */
  port: number;
  /** Sends a request to a path of the server. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** Sends a request with the path unchanged: `fetch` would normalize it. */
  raw(method: string, path: string, headers?: Record<string, string>, body?: string | Uint8Array): Promise<RawResponse>;
  /** Sends text over a connection. Gives everything that comes back until the server closes it or the time is over. */
  speak(text: string, milliseconds?: number): Promise<string>;
  /** The code of the first error in an answer. */
  codeOf(response: Response): Promise<string | undefined>;
  /** Stops the server. */
  close(): Promise<void>;
}

/** Starts a server on a free port of this machine, for as long as the test runs. */
export async function startServer(registry: Registry, options?: ServeOptions): Promise<TestServer> {
  const server = await startSharedServer(registry, options);
  onTestFinished(() => server.close());
  return server;
}

/** Starts a server for several tests. They close it after the last one. */
export async function startSharedServer(registry: Registry, options: ServeOptions = {}): Promise<TestServer> {
  const serving = await serve(registry, { port: 0, allowedHosts: ['x'], ...options });
  return {
    url: serving.url,
    port: serving.port,
    fetch: (path, init) => fetch(serving.url + path, init),
    raw: (method, path, headers = {}, body) => raw(serving.port, method, path, headers, body),
    speak: (text, milliseconds = 30_000) => speak(serving.port, text, milliseconds),
    codeOf: async (response) => codeIn(await response.text()),
    close: async () => void (await serving.close(0)),
  };
}

function raw(
  port: number,
  method: string,
  path: string,
  headers: Record<string, string>,
  body: string | Uint8Array | undefined,
): Promise<RawResponse> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(pieces).toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text, code: codeIn(text) });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

function speak(port: number, text: string, milliseconds: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    let answer = '';
    const timer = setTimeout(() => socket.destroy(), milliseconds);
    socket.on('data', (piece) => (answer += piece.toString('latin1')));
    socket.on('error', reject);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(answer);
    });
    socket.write(text, 'latin1');
  });
}

function codeIn(body: string): string | undefined {
  if (body === '') return undefined;
  const parsed = JSON.parse(body) as { errors?: { code?: string }[] };
  return parsed.errors?.[0]?.code;
}
