import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';

import { describe, expect, onTestFinished, test, vi } from 'vitest';

import { rawBody, takesIterables } from '../../../http/client/index.ts';
import type { RawBody } from '../../../http/client/index.ts';

import { listenOnFreePort } from '../../../../test/free-port.ts';
import { gate } from '../../../../test/gate.ts';
import { bodyOf as bodyOfRequest, listen } from '../../../../test/listen.ts';

import { nodeFetch } from './fetch.ts';
import type { NodeFetch, NodeFetchOptions } from './fetch.ts';

interface Served {
  url: string;
  http: HttpServer;
  connections: () => number;
}

async function serve(handle: (request: IncomingMessage, response: ServerResponse) => unknown): Promise<Served> {
  let connections = 0;
  const http = createServer((request, response) => void handle(request, response));
  http.on('connection', () => connections++);
  onTestFinished(() => {
    http.close();
    http.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${await listenOnFreePort(http)}/`, http, connections: () => connections };
}

/** A server that knows nothing of HTTP. */
async function serveTcp(handle: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    handle(socket);
  });
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `http://127.0.0.1:${await listenOnFreePort(server)}/`;
}

function open(options?: NodeFetchOptions): NodeFetch {
  const fetch = nodeFetch({ proxy: false, ...options });
  onTestFinished(() => fetch.close());
  return fetch;
}

async function textOf(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all).toString();
}

async function* iterate(...pieces: string[]): AsyncGenerator<Uint8Array, void, undefined> {
  for (const piece of pieces) yield Buffer.from(piece);
}

/** A source that never ends, and knows whether it was left. */
function endless(): { pieces: AsyncIterable<Uint8Array>; left: Promise<void> } {
  let leave = (): void => undefined;
  const left = new Promise<void>((resolve) => {
    leave = resolve;
  });
  async function* pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        yield Buffer.alloc(64 * 1024);
        await new Promise((resolve) => {
          setTimeout(resolve, 1);
        });
      }
    } finally {
      leave();
    }
  }
  return { pieces: pieces(), left };
}

/** A body as `fetch` is declared to take it. */
function bodyOf(pieces: AsyncIterable<Uint8Array>): RequestInit {
  return { body: pieces as unknown as ReadableStream };
}

async function echo(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await textOf(request);
  const { method, url, headers } = request;
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ method, url, headers, body }));
}

interface Echo {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
}

describe('a request', () => {
  test('arrives with its method, path, query and headers, and no other headers', async () => {
    const { url } = await serve(echo);
    const response = await open()(`${url}v2/a%2Fb/x?n=1&last=%20`, {
      headers: [
        ['Accept', 'a/b'],
        ['accept', 'c/d'],
      ],
    });
    expect(await response.json()).toEqual({
      method: 'GET',
      url: '/v2/a%2Fb/x?n=1&last=%20',
      headers: { accept: 'a/b, c/d', host: new URL(url).host, connection: 'keep-alive' },
      body: '',
    });
  });

  const form = new FormData();
  form.set('name', 'value');
  test.each<[string, () => unknown, string | RegExp, string | undefined, string | undefined]>([
    ['bytes', () => Buffer.from('content'), 'content', '7', undefined],
    [
      'a part of a buffer',
      () => new DataView(new TextEncoder().encode('-content-').buffer, 1, 7),
      'content',
      '7',
      undefined,
    ],
    ['an ArrayBuffer', () => new TextEncoder().encode('content').buffer, 'content', '7', undefined],
    ['text', () => 'cöntent', 'cöntent', '8', 'text/plain;charset=UTF-8'],
    [
      'parameters',
      () => new URLSearchParams({ a: 'b c' }),
      'a=b+c',
      '5',
      'application/x-www-form-urlencoded;charset=UTF-8',
    ],
    ['a Blob', () => new Blob(['content'], { type: 'a/b' }), 'content', '7', 'a/b'],
    ['a stream', () => new Blob(['content']).stream(), 'content', undefined, undefined],
    ['an AsyncIterable', () => iterate('con', '', 'tent'), 'content', undefined, undefined],
    ['no bytes', () => new Uint8Array(), '', '0', undefined],
    ['nothing', () => undefined, '', '0', undefined],
  ])('sends %s', async (_name, body, text, length, type) => {
    const { url } = await serve(echo);
    const response = await open()(url, { method: 'post', body: body() as BodyInit });
    const echoed = (await response.json()) as Echo;
    expect(echoed.body).toBe(text);
    expect(echoed.method).toBe('POST');
    expect(echoed.headers['content-length']).toBe(length);
    expect(echoed.headers['content-type']).toBe(type);
  });

  test('sends a form with its boundary', async () => {
    const { url } = await serve(echo);
    const echoed = (await (await open()(url, { method: 'POST', body: form })).json()) as Echo;
    const boundary = /^multipart\/form-data; boundary=(.+)$/.exec(echoed.headers['content-type'] ?? '')?.[1];
    expect(echoed.body).toContain(`--${boundary}`);
  });

  test('has the Content-Length of a stream whose size the caller knows', async () => {
    const { url } = await serve(echo);
    const init = { method: 'PUT', headers: { 'Content-Length': '7' }, ...bodyOf(iterate('con', 'tent')) };
    const echoed = (await (await open()(url, init)).json()) as Echo;
    expect(echoed.headers).toMatchObject({ 'content-length': '7' });
    expect(echoed.headers).not.toHaveProperty('transfer-encoding');
    expect(echoed.body).toBe('content');
  });

  test.each([
    ['fewer', ['con']],
    ['more', ['content', '!']],
  ])('fails if its stream has %s bytes than its Content-Length, and the connection ends', async (than, pieces) => {
    let cut: Promise<unknown> | undefined;
    const { url } = await serve((request) => {
      request.on('error', () => undefined);
      request.resume();
      cut = new Promise((resolve) => {
        request.once('close', resolve);
      });
    });
    const init = { method: 'PUT', headers: { 'content-length': '7' }, ...bodyOf(iterate(...pieces)) };
    await expect(open()(url, init)).rejects.toThrow(`${than} bytes than the 7`);
    await cut;
  });

  test('fails with the error of its body’s source', async () => {
    const { url } = await serve(echo);
    const wrong = new Error('the disk is gone');
    async function* failing(): AsyncGenerator<Uint8Array, void, undefined> {
      yield Buffer.from('con');
      throw wrong;
    }
    await expect(open()(url, { method: 'PUT', ...bodyOf(failing()) })).rejects.toBe(wrong);
  });

  test('to a closed port fails with the reason that Node gives', async () => {
    const server = createTcpServer();
    const port = await listenOnFreePort(server);
    server.close();
    await expect(open()(`http://127.0.0.1:${port}/`, {})).rejects.toMatchObject({
      name: 'TypeError',
      message: expect.stringContaining('ECONNREFUSED') as unknown,
      cause: { code: 'ECONNREFUSED' },
    });
  });

  test.each(['http://user:secret@127.0.0.1/', 'ftp://127.0.0.1/'])('is not sent to %s', async (url) => {
    const refused = open()(url, {});
    await expect(refused).rejects.toThrow(TypeError);
    await expect(refused).rejects.not.toThrow('secret');
  });
});

describe('an answer', () => {
  test('has its status, URL and headers, each as often as it came', async () => {
    const { url } = await serve((_request, response) => {
      response.writeHead(
        404,
        'Nowhere',
        [
          ['Link', '<a>'],
          ['Link', '<b>'],
          ['Www-Authenticate', 'Basic'],
          ['Www-Authenticate', 'Bearer realm="x"'],
        ].flat(),
      );
      response.end('nothing');
    });
    const response = await open()(`${url}a`, {});
    expect(response).toMatchObject({ status: 404, statusText: 'Nowhere', url: `${url}a`, ok: false });
    expect(response.headers.get('link')).toBe('<a>, <b>');
    expect(response.headers.get('www-authenticate')).toBe('Basic, Bearer realm="x"');
    expect(await response.text()).toBe('nothing');
  });

  test('is the redirect itself, or an error if the caller refuses redirects', async () => {
    const { url, connections } = await serve((_request, response) => {
      response.writeHead(307, { location: '/elsewhere' }).end();
    });
    const response = await open()(url, {});
    expect(response.status).toBe(307);
    expect(response.headers.get('location')).toBe('/elsewhere');
    await expect(open()(url, { redirect: 'error' })).rejects.toThrow('has status 307');
    expect(connections()).toBe(2);
  });

  test('is not decoded', async () => {
    const packed = gzipSync('content');
    const { url } = await serve((_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(packed);
    });
    const response = await open()(url, {});
    expect(Buffer.from(await response.arrayBuffer())).toEqual(packed);
  });

  test.each([
    ['HEAD', 200, { 'content-length': '42' }],
    ['GET', 204, {}],
    ['GET', 304, {}],
    ['GET', 200, { 'content-length': '0' }],
  ])('to %s with %i and %o has no body and holds no connection', async (method, status, headers) => {
    const { url, connections } = await serve((_request, response) => {
      response.writeHead(status, headers).end();
    });
    const fetch = open();
    for (let times = 0; times < 3; times++) {
      const response = await fetch(url, { method });
      expect(response.status).toBe(status);
      expect(response.body).toBeNull();
      // The connection is back when its end has been seen.
      await new Promise(setImmediate);
    }
    expect(connections()).toBe(1);
  });

  test('comes piece by piece without a stream', async () => {
    const sent = ['one ', 'two ', 'three'];
    let sendNext = (): void => undefined;
    const { url } = await serve((_request, response) => {
      sendNext = () => {
        const text = sent.shift();
        if (text === undefined) response.end();
        else response.write(text);
      };
      sendNext();
    });
    const fetch = open();
    expect(fetch[takesIterables]).toBe(true);
    const response: Response & RawBody = await fetch(url, {});
    const pieces = response[rawBody];
    if (pieces === undefined) throw new Error('there is no raw body');
    const texts: string[] = [];
    for await (const piece of pieces) {
      texts.push(Buffer.from(piece).toString());
      sendNext();
    }
    expect(texts).toEqual(['one ', 'two ', 'three']);
  });

  test.each(['raw', 'stream'] as const)(
    'that is cut in the middle fails after the bytes that arrived: %s',
    async (way) => {
      const { url } = await serve((_request, response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('content', () => setTimeout(() => response.destroy(), 20));
      });
      const response: Response & RawBody = await open()(url, {});
      const pieces = way === 'raw' ? response[rawBody] : response.body;
      if (pieces === undefined || pieces === null) throw new Error('there is no body');
      let text = '';
      const read = (async (): Promise<void> => {
        for await (const piece of pieces) text += Buffer.from(piece).toString();
      })();
      await expect(read).rejects.toThrow('the connection ended in the middle of the body');
      expect(text).toBe('content');
    },
  );

  test('that is cut before it is read fails when it is read', async () => {
    const { url } = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('content', () => response.destroy());
    });
    const response = await open()(url, {});
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
    await expect(response.text()).rejects.toThrow('the connection ended in the middle of the body');
  });

  test.each(['raw', 'stream'] as const)('that is not read to its end closes its connection: %s', async (way) => {
    let closed: Promise<unknown> | undefined;
    const { url } = await serve((_request, response) => {
      closed = once(response, 'close');
      response.writeHead(200, { 'content-length': `${1024 ** 3}` });
      const write = (): void => {
        while (response.write(Buffer.alloc(64 * 1024)));
      };
      response.on('drain', write);
      write();
    });
    const response: Response & RawBody = await open()(url, {});
    const pieces = way === 'raw' ? response[rawBody] : response.body;
    if (pieces === undefined || pieces === null) throw new Error('there is no body');
    for await (const _piece of pieces) break;
    await closed;
  });

  test('that is not read is not taken into memory', async () => {
    let sent = 0;
    const { url } = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': `${1024 ** 3}` });
      const write = (): void => {
        do sent += 1024 * 1024;
        while (response.write(Buffer.alloc(1024 * 1024)));
      };
      response.on('drain', write);
      write();
    });
    const response: Response & RawBody = await open()(url, {});
    const first = await response[rawBody]?.[Symbol.asyncIterator]().next();
    expect(first?.done).toBe(false);
    await new Promise((resolve) => {
      setTimeout(resolve, 200);
    });
    // More than the buffers of both ends of a connection on this machine, but not the whole body.
    expect(sent).toBeLessThan(64 * 1024 * 1024);
  });

  test('with an invalid status fails', async () => {
    const url = await serveTcp((socket) => socket.end('HTTP/1.1 999 Odd\r\ncontent-length: 2\r\n\r\nab'));
    await expect(open()(url, {})).rejects.toThrow('has status 999');
  });

  test('that is not HTTP fails', async () => {
    const url = await serveTcp((socket) => socket.end('220 mail.example.com ESMTP\r\n'));
    await expect(open()(url, {})).rejects.toMatchObject({
      name: 'TypeError',
      cause: { code: expect.any(String) as unknown },
    });
  });
});

describe('a connection', () => {
  test('serves one request after another', async () => {
    const { url, connections } = await serve(echo);
    const fetch = open();
    for (let times = 0; times < 5; times++) await (await fetch(url, { method: 'PUT', body: 'x' })).text();
    expect(connections()).toBe(1);
  });

  test('that the server has just closed is replaced for requests that may arrive twice', async () => {
    // Each connection answers one request and says that it stays, then is reset when the next request comes.
    let arrived = 0;
    const url = await serveTcp((socket) => {
      let isFirst = true;
      socket.on('data', () => {
        arrived++;
        if (!isFirst) {
          socket.resetAndDestroy();
          return;
        }
        isFirst = false;
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
      });
    });
    const fetch = open();
    expect(await (await fetch(url, {})).text()).toBe('ok');
    expect(await (await fetch(url, { method: 'DELETE' })).text()).toBe('ok');
    expect(arrived).toBe(3);
    await expect(fetch(url, { method: 'POST', body: 'x' })).rejects.toThrow('fetch failed');
    // A stream was read and cannot be sent again.
    expect(await (await fetch(url, {})).text()).toBe('ok');
    await expect(fetch(url, { method: 'PUT', ...bodyOf(iterate('x')) })).rejects.toThrow('fetch failed');
  });

  test('that ends without an answer is an error, and the request is not sent again over a new one', async () => {
    let arrived = 0;
    const url = await serveTcp((socket) => {
      socket.on('data', () => {
        arrived++;
        socket.end();
      });
    });
    await expect(open()(url, {})).rejects.toMatchObject({ cause: { code: 'ECONNRESET' } });
    expect(arrived).toBe(1);
  });

  test('goes to the address that the caller gives, and the server sees the name in the URL', async () => {
    const { url } = await serve(echo);
    const asked: unknown[] = [];
    const fetch = open({
      resolve: async (host, port) => {
        asked.push([host, port]);
        return { host: '127.0.0.1', port: Number(new URL(url).port) };
      },
    });
    const echoed = (await (await fetch('http://registry.example.com/v2/', {})).json()) as Echo;
    expect(echoed.headers['host']).toBe('registry.example.com');
    expect(asked).toEqual([['registry.example.com', 80]]);
  });

  test('that is not established in time is an error', async () => {
    // It takes the connection and never answers the first step of TLS.
    const url = await serveTcp(() => undefined);
    const fetch = open({ connectTimeout: 100 });
    await expect(fetch(url.replace('http:', 'https:'), {})).rejects.toThrow('was not established in time');
  });

  test('is closed by close, also in the middle of a response', async () => {
    const { url } = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('content');
    });
    const fetch = open();
    const response = await fetch(url, {});
    fetch.close();
    await expect(response.text()).rejects.toThrow('the connection ended');
  });
});

describe('an upload', () => {
  test('that is refused before its end is stopped, and the answer is read', async () => {
    const { url } = await serve((request, response) => {
      request.once('data', () => {
        response.writeHead(401, { 'www-authenticate': 'Bearer realm="x"' }).end('who are you?');
        request.resume();
      });
    });
    const { pieces, left } = endless();
    const response = await open()(url, { method: 'PUT', ...bodyOf(pieces) });
    expect(response.status).toBe(401);
    await left;
    expect(await response.text()).toBe('who are you?');
  });

  test('that is answered with success before its end continues', async () => {
    const { url } = await serve(async (request, response) => {
      response.writeHead(200);
      for await (const piece of request as AsyncIterable<Buffer>) response.write(piece);
      response.end();
    });
    const slow = async function* slowly(): AsyncGenerator<Uint8Array, void, undefined> {
      for (const text of ['con', 'te', 'nt']) {
        yield Buffer.from(text);
        await new Promise((resolve) => {
          setTimeout(resolve, 30);
        });
      }
    };
    expect(await (await open()(url, { method: 'PUT', ...bodyOf(slow()) })).text()).toBe('content');
  });

  test('whose connection is cut fails and ends its source', async () => {
    const { url } = await serve((request) => {
      request.once('data', () => request.socket.destroy());
    });
    const { pieces, left } = endless();
    await expect(open()(url, { method: 'PUT', ...bodyOf(pieces) })).rejects.toThrow('fetch failed');
    await left;
  });

  test('waits for the server to take the bytes that were sent', async () => {
    const { url } = await serve((request) => {
      request.pause();
    });
    let taken = 0;
    async function* source(): AsyncGenerator<Uint8Array, void, undefined> {
      for (; taken < 1024; taken++) yield Buffer.alloc(1024 * 1024);
    }
    const controller = new AbortController();
    const sent = open()(url, { method: 'PUT', signal: controller.signal, ...bodyOf(source()) });
    await new Promise((resolve) => {
      setTimeout(resolve, 300);
    });
    expect(taken).toBeLessThan(64);
    controller.abort();
    await expect(sent).rejects.toThrow('aborted');
  });
});

describe('a signal', () => {
  const reason = new Error('enough');

  test('that is already aborted prevents the request', async () => {
    const { url, connections } = await serve(echo);
    await expect(open()(url, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(connections()).toBe(0);
  });

  test('ends a connection that is being established', async () => {
    const controller = new AbortController();
    const fetch = open({ resolve: () => new Promise(() => undefined) });
    const sent = fetch('http://registry.example.com/', { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 20);
    await expect(sent).rejects.toBe(reason);
  });

  test('ends the wait for an answer, and the server sees it', async () => {
    const controller = new AbortController();
    let closed: Promise<unknown> | undefined;
    const { url } = await serve((_request, response) => {
      closed = once(response, 'close');
      controller.abort(reason);
    });
    await expect(open()(url, { signal: controller.signal })).rejects.toBe(reason);
    await closed;
  });

  test('ends an upload and its source', async () => {
    const controller = new AbortController();
    const { url } = await serve((request) => {
      request.once('data', () => controller.abort(reason));
    });
    const { pieces, left } = endless();
    const sent = open()(url, { method: 'PUT', signal: controller.signal, ...bodyOf(pieces) });
    await expect(sent).rejects.toBe(reason);
    await left;
  });

  test.each(['raw', 'stream'] as const)('ends a body in its middle: %s', async (way) => {
    const controller = new AbortController();
    const { url } = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('content');
    });
    const response: Response & RawBody = await open()(url, { signal: controller.signal });
    const pieces = way === 'raw' ? response[rawBody] : response.body;
    if (pieces === undefined || pieces === null) throw new Error('there is no body');
    const read = textOf(pieces);
    setTimeout(() => controller.abort(reason), 20);
    await expect(read).rejects.toBe(reason);
  });

  test('has no effect after all has been read', async () => {
    const controller = new AbortController();
    const { url, connections } = await serve(echo);
    const fetch = open();
    await (await fetch(url, { signal: controller.signal })).text();
    await new Promise(setImmediate);
    controller.abort(reason);
    await (await fetch(url, {})).text();
    expect(connections()).toBe(1);
  });
});

describe('a silent server is an error', () => {
  test('before its answer', async () => {
    const { url } = await serve(() => undefined);
    await expect(open({ idleTimeout: 100 })(url, {})).rejects.toThrow('silent for 100 ms');
  });

  test('in the middle of its answer', async () => {
    const { url } = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('content');
    });
    const response = await open({ idleTimeout: 100 })(url, {});
    await expect(response.text()).rejects.toThrow('silent for 100 ms');
  });

  test('in the middle of a request’s body that it does not read', async () => {
    const { url } = await serve((request) => request.pause());
    async function* source(): AsyncGenerator<Uint8Array, void, undefined> {
      for (;;) yield Buffer.alloc(1024 * 1024);
    }
    await expect(open({ idleTimeout: 100 })(url, { method: 'PUT', ...bodyOf(source()) })).rejects.toThrow('silent');
  });

  test('but a slow source and a slow reader are not', async () => {
    const arrived = gate();
    const { url } = await serve((request, response) => {
      request.once('data', arrived.open);
      return echo(request, response);
    });
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    async function* source(): AsyncGenerator<Uint8Array, void, undefined> {
      yield Buffer.from('con');
      await arrived.opened;
      vi.advanceTimersByTime(300);
      yield Buffer.from('tent');
    }
    const response = await open({ idleTimeout: 100 })(url, { method: 'PUT', ...bodyOf(source()) });
    vi.advanceTimersByTime(300);
    expect(((await response.json()) as Echo).body).toBe('content');
  });
});

describe('the arguments of nodeFetch', () => {
  const startEcho = async (): Promise<string> =>
    listen(async (request, response) => {
      const { method, url, headers } = request;
      response.end(JSON.stringify({ method, url, header: headers['x-a'], body: await bodyOfRequest(request) }));
    });
  const jsonOf = async (response: Promise<Response>): Promise<unknown> => (await response).json();

  test('may be a URL alone, as a text or an object', async () => {
    const base = `http://${await startEcho()}`;
    using send = nodeFetch();
    const expected = { method: 'GET', url: '/x', body: '' };
    expect(await jsonOf(send(`${base}/x`))).toEqual(expected);
    expect(await jsonOf(send(new URL('/x', base)))).toEqual(expected);
  });

  test('may be a Request, and an init that replaces parts of it', async () => {
    const base = `http://${await startEcho()}`;
    using send = nodeFetch();
    const make = (): Request =>
      new Request(`${base}/y`, { method: 'PUT', body: 'of the request', headers: { 'x-a': '1' } });
    expect(await jsonOf(send(make()))).toEqual({ method: 'PUT', url: '/y', header: '1', body: 'of the request' });
    const init = { method: 'POST', body: 'of init', headers: { 'x-a': '2' } };
    expect(await jsonOf(send(make(), init))).toEqual({ method: 'POST', url: '/y', header: '2', body: 'of init' });
    const nothing = { method: undefined, body: undefined } as unknown as RequestInit;
    expect(await jsonOf(send(make(), nothing))).toMatchObject({ method: 'PUT', body: 'of the request' });
    const aborted = new Request(`${base}/y`, { signal: AbortSignal.abort(new Error('enough')) });
    await expect(send(aborted)).rejects.toThrow('enough');
  });
});
