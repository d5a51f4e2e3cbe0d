import { createServer, request as httpRequest } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import { describe, expect, onTestFinished, test } from 'vitest';

import { imageOf, randomBlob, testCertificate } from '../../../testing/node.ts';
import { testClient } from '../../../testing/test-client/index.ts';

import { listenOnFreePort } from '../../../../test/free-port.ts';
import { startTestServer } from '../../../../test/start-test-server.ts';

import { nodeFetch } from './fetch.ts';
import type { NodeFetch, NodeFetchOptions } from './fetch.ts';

function open(options: NodeFetchOptions): NodeFetch {
  const fetch = nodeFetch(options);
  onTestFinished(() => fetch.close());
  return fetch;
}

interface Proxy {
  port: number;
  /** The requests that it got: the first line of each, and its Proxy-Authorization. */
  asked: { line: string; authorization: string | undefined; host: string | undefined }[];
}

interface ProxySettings {
  /** The port that every request really goes to. */
  port: number;
  tls?: { cert: string; key: string };
  /** Answered to CONNECT in place of a tunnel. */
  refuse?: number;
  /** Takes the request for a tunnel and never answers. */
  hangs?: boolean;
}

/** A proxy that sends everything to one port of this machine. */
async function startProxy({ port: target, tls, refuse, hangs = false }: ProxySettings): Promise<Proxy> {
  const asked: Proxy['asked'] = [];
  const note = ({ method, url, headers }: IncomingMessage): void => {
    asked.push({ line: `${method} ${url}`, authorization: headers['proxy-authorization'], host: headers.host });
  };
  const sockets = new Set<Duplex>();
  const server: Server = tls === undefined ? createServer() : createHttpsServer(tls);
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.on('request', (request, response) => {
    note(request);
    const url = new URL(request.url ?? '');
    const { method, headers } = request;
    const onward = httpRequest(
      { port: target, host: '127.0.0.1', method, path: url.pathname + url.search, headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    request.pipe(onward);
  });
  server.on('connect', (request: IncomingMessage, socket: Duplex) => {
    note(request);
    if (hangs) return;
    if (refuse !== undefined) {
      socket.end(`HTTP/1.1 ${refuse} No\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    const onward = connect({ port: target, host: '127.0.0.1' }, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    sockets.add(onward);
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
  });
  const port = await listenOnFreePort(server);
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port, asked };
}

const domain = 'registry.example.com';

describe('through a proxy', () => {
  test('a registry with TLS is reached by a tunnel, and its own certificate is verified', async () => {
    const server = await startTestServer({ domains: [domain] });
    const proxy = await startProxy({ port: server.port });
    const fetch = open({ ca: server.ca, proxy: `http://user:p%40ss@127.0.0.1:${proxy.port}` });
    const registry = testClient(server.url, { fetch });
    const layer = randomBlob(1_000_000);
    await registry.pushBlob('a', layer.descriptor, layer.bytes);
    // The whole of a blob is verified as it is read.
    expect(await (await registry.getBlob('a', layer.descriptor.digest)).bytes()).toHaveLength(1_000_000);
    // The tunnel is kept.
    expect(proxy.asked).toEqual([
      {
        line: `CONNECT ${domain}:443`,
        authorization: `Basic ${Buffer.from('user:p@ss').toString('base64')}`,
        host: `${domain}:443`,
      },
    ]);
    // The registry does not get the proxy’s credentials.
    expect(server.requests.map((seen) => seen.header('proxy-authorization'))).toEqual(
      server.requests.map(() => undefined),
    );
    await expect(open({ proxy: `http://127.0.0.1:${proxy.port}` })(server.url, {})).rejects.toMatchObject({
      cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
    });
  });

  test('a registry without TLS is requested by its whole URL', async () => {
    const server = await startTestServer({ allowedHosts: ['registry.example.com'] });
    await server.addRef('a', 'v1', imageOf());
    const proxy = await startProxy({ port: server.port });
    const fetch = open({ proxy: `http://user:pass@127.0.0.1:${proxy.port}` });
    const answer = await fetch('http://registry.example.com:5000/v2/a/tags/list?n=1', {});
    expect(await answer.json()).toMatchObject({ tags: ['v1'] });
    expect(proxy.asked).toEqual([
      {
        line: 'GET http://registry.example.com:5000/v2/a/tags/list?n=1',
        authorization: `Basic ${Buffer.from('user:pass').toString('base64')}`,
        host: 'registry.example.com:5000',
      },
    ]);
  });

  test('the proxy itself may be reached by TLS', async () => {
    const tls = await testCertificate(['127.0.0.1']);
    const server = await startTestServer({ domains: [domain] });
    const proxy = await startProxy({ port: server.port, tls });
    const options = { proxy: `https://127.0.0.1:${proxy.port}` };
    const fetch = open({ ...options, ca: [server.ca ?? '', tls.cert] });
    expect((await fetch(`${server.url}/v2/`, {})).status).toBe(200);
    await expect(open({ ...options, ca: server.ca })(`${server.url}/v2/`, {})).rejects.toThrow('self-signed');
  });

  test('a request to an exempt host does not use the proxy', async () => {
    const server = await startTestServer({ allowedHosts: ['registry.example.com'] });
    const proxy = await startProxy({ port: 1 });
    const resolve = (): { host: string; port: number } => ({ host: '127.0.0.1', port: server.port });
    const fetch = open({ proxy: `http://127.0.0.1:${proxy.port}`, noProxy: 'example.com', resolve });
    expect((await fetch('http://registry.example.com/v2/', {})).status).toBe(200);
    expect(proxy.asked).toEqual([]);
  });

  test('a refused tunnel is an error that says so, and the next request tries again', async () => {
    const proxy = await startProxy({ port: 1, refuse: 407 });
    const fetch = open({ proxy: `http://user:secret@127.0.0.1:${proxy.port}` });
    for (let times = 0; times < 2; times++) {
      const failed = fetch(`https://${domain}/v2/`, {});
      await expect(failed).rejects.toThrow(`the proxy answered 407 to CONNECT ${domain}:443`);
      await expect(failed).rejects.not.toThrow('secret');
    }
    expect(proxy.asked).toHaveLength(2);
  });

  test('a tunnel that is not established in time is an error', async () => {
    const proxy = await startProxy({ port: 1, hangs: true });
    const fetch = open({ proxy: `http://127.0.0.1:${proxy.port}`, connectTimeout: 100 });
    await expect(fetch(`https://${domain}/v2/`, {})).rejects.toThrow('was not established in time');
  });

  test('an IPv6 address is requested in brackets', async () => {
    const proxy = await startProxy({ port: 1, refuse: 403 });
    const fetch = open({ proxy: `http://127.0.0.1:${proxy.port}` });
    await expect(fetch('https://[2001:db8::1]/v2/', {})).rejects.toThrow('403');
    expect(proxy.asked[0]?.line).toBe('CONNECT [2001:db8::1]:443');
  });
});

describe('with a certificate of its own', () => {
  test('the client is accepted, and a client without one is refused', async () => {
    const [own, theirs] = await Promise.all([testCertificate(['client.test']), testCertificate(['127.0.0.1'])]);
    const server = createHttpsServer({ ...theirs, ca: own.cert, requestCert: true }, (_request, response) => {
      response.end('welcome');
    });
    const port = await listenOnFreePort(server);
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    const url = `https://127.0.0.1:${port}/`;
    expect(await (await open({ ca: theirs.cert, ...own })(url, {})).text()).toBe('welcome');
    await expect(open({ ca: theirs.cert })(url, {}).then((answer) => answer.text())).rejects.toThrow();
  });
});
