// A server for the page that runs the exercise in a browser.
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A page, and a registry below `/v2/`. Both have one origin, so the browser lets the page use the registry. */
export interface PageServer {
  /** The URL of the page. */
  readonly url: string;
  /** The result that the page reports. Rejects with the error of the page. */
  readonly outcome: Promise<string>;
  /** Stops the server. */
  close(): void;
}

/** Serves a script as a page, and a registry. */
export async function servePage(script: Uint8Array, registry: string): Promise<PageServer> {
  const { promise: outcome, resolve, reject } = withResolvers<string>();
  const server = createServer((incoming, response) => {
    const { url = '/' } = incoming;
    if (url.startsWith('/v2/')) proxy(incoming, response, registry);
    else if (url === '/page.js') response.setHeader('content-type', 'text/javascript').end(script);
    else if (incoming.method === 'POST') {
      const text = textOf(incoming).finally(() => response.end());
      if (url === '/done') resolve(text);
      else text.then((why) => reject(new Error(why)), reject);
    } else {
      response
        .setHeader('content-type', 'text/html')
        .end('<!doctype html><title>ocikit</title><script type="module" src="/page.js"></script>');
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    outcome,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function proxy(incoming: IncomingMessage, response: ServerResponse, registry: string): void {
  const { method, url, headers } = incoming;
  const outgoing = request(`http://${registry}${url ?? ''}`, { method, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  outgoing.on('error', () => response.destroy());
  incoming.pipe(outgoing);
}

async function textOf(message: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of message.setEncoding('utf8')) text += String(piece);
  return text;
}

function withResolvers<T>(): {
  promise: Promise<T>;
  resolve: (value: T | Promise<T>) => void;
  reject: (error: unknown) => void;
} {
  let resolve: (value: T | Promise<T>) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
