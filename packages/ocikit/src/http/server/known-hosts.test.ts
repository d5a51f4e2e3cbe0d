import { connect } from 'node:net';

import { describe, expect, onTestFinished, test } from 'vitest';

import { startServer } from '../../../test/start-server.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';

import { createServer } from './server.ts';
import type { Exchange, Next, Reply } from './shared/index.ts';

/** A field that the fast path does not read: the connection goes to `node:http`. */
const parsers = [
  ['the fast path', ''],
  ['node:http', 'TE: trailers\r\n'],
] as const;

const own = [
  'localhost',
  'localhost:5000',
  'LocalHost.:5000',
  'registry.localhost',
  'a.b.localhost:80',
  '127.0.0.1',
  '127.0.0.1:',
  '127.0.0.1:5000',
  '127.8.9.255:1',
  '[::1]',
  '[::1]:5000',
  '[0:0:0:0:0:0:0:1]:5000',
  '[::1%lo]:5000',
  '[::1%25lo0]',
  '[::ffff:127.0.0.1]:5000',
  'host.docker.internal',
  'HOST.docker.internal:5000',
  'host.containers.internal:5000',
];

const foreign = [
  'evil.example',
  'evil.example:5000',
  'localhost.evil.example',
  'notlocalhost',
  '127.0.0.1.evil.example',
  '127.evil.example',
  '127.0.0.256',
  '127.1',
  '128.0.0.1',
  '10.0.0.1:5000',
  '0.0.0.0:5000',
  '[::]',
  '[::2]',
  '[fe80::1%lo]',
  '[::1',
  'localhost:5000:5000',
  'localhost:x',
  'localhost@evil.example',
  'evil.example@localhost',
  'localhost evil.example',
  'localhost, evil.example',
  'localhost/evil.example',
  'x.host.docker.internal',
  'docker.internal',
  '',
  ':5000',
  '.',
];

describe.each(parsers)('a server on a loopback address, for a request that %s reads', (_name, field) => {
  const ask = async (host: string, options = {}, line = 'GET /v2/ HTTP/1.1'): Promise<string> => {
    const server = await startServer(createMemoryRegistry(), { allowedHosts: undefined, ...options });
    return server.speak(`${line}\r\n${field}Host: ${host}\r\nConnection: close\r\n\r\n`);
  };

  test.each(own)('answers to the host %j', async (host) => {
    expect(await ask(host)).toMatch(/^HTTP\/1.1 200 /);
  });

  test.each(foreign)('refuses the host %j and names the flag', async (host) => {
    const answer = await ask(host);
    expect(answer).toMatch(/^HTTP\/1.1 421 Misdirected Request\r\n/);
    expect(answer).toContain('--allow-host');
    expect(answer.length).toBeLessThan(2000);
    const body: unknown = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')));
    expect(body).toMatchObject({ errors: [{ code: 'MISDIRECTED_REQUEST' }] });
  });

  test('refuses a host that is too long for one, in a short answer', async () => {
    const answer = await ask('x'.repeat(10_000));
    expect(answer).toMatch(/^HTTP\/1.1 421 [^]*--allow-host NAME/);
    expect(answer.length).toBeLessThan(2000);
  });

  test.each([
    ['Registry.Example.COM', 'registry.example.com:5000', true],
    ['registry.example.com', 'REGISTRY.example.com.', true],
    ['registry.example.com', 'a.registry.example.com', false],
    ['*.example.com', 'a.b.example.com', true],
    ['*.example.com', 'example.com', false],
    ['*.example.com', 'evilexample.com', false],
    ['192.168.1.7', '192.168.1.7:5000', true],
    ['fe80::1', '[fe80:0::1]:5000', true],
    ['[fe80::1]', '[fe80::1%eth0]:5000', true],
    ['*', 'anything.example', true],
    ['*', '', true],
  ])('that allows %j answers to %j: %s', async (allowed, host, isAnswered) => {
    const answer = await ask(host, { allowedHosts: [allowed] });
    expect(answer).toMatch(isAnswered ? /^HTTP\/1.1 200 / : /^HTTP\/1.1 421 /);
    expect(await ask('localhost', { allowedHosts: [allowed] })).toMatch(/^HTTP\/1.1 200 /);
  });

  test('refuses a foreign host for every path, before a middleware runs', async () => {
    let calls = 0;
    const middleware = [
      async (exchange: Exchange, next: Next): Promise<Reply> => {
        calls++;
        return next(exchange);
      },
    ];
    for (const line of ['GET /v2/_catalog HTTP/1.1', 'GET /nothing HTTP/1.1', 'POST /v2/a/blobs/uploads/ HTTP/1.1']) {
      expect(await ask('evil.example', { middleware }, line)).toMatch(/^HTTP\/1.1 421 /);
    }
    expect(await ask('localhost', { middleware })).toMatch(/^HTTP\/1.1 200 /);
    expect(calls).toBe(1);
  });
});

describe('a server on a loopback address', () => {
  const speak = async (text: string): Promise<string> =>
    (await startServer(createMemoryRegistry(), { allowedHosts: undefined })).speak(text);

  test('answers HTTP/1.0 without Host, which no browser sends, and refuses HTTP/1.1 without Host', async () => {
    expect(await speak('GET /v2/ HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.1 200 /);
    expect(await speak('GET /v2/ HTTP/1.0\r\nHost: evil.example\r\n\r\n')).toMatch(/^HTTP\/1.1 421 /);
    const answer = await speak('GET /v2/ HTTP/1.1\r\nConnection: close\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1.1 400 [^]*X-Content-Type-Options: nosniff[^]*"BAD_REQUEST"/);
  });

  test.each([
    ['GET http://evil.example/v2/ HTTP/1.1\r\nHost: localhost', 421],
    ['GET http://localhost/v2/ HTTP/1.1\r\nHost: evil.example', 421],
    ['GET http://evil.example/v2/ HTTP/1.0', 421],
    ['GET http://localhost@evil.example/v2/ HTTP/1.1\r\nHost: localhost', 421],
    ['GET http://LOCALHOST:5000/v2/ HTTP/1.1\r\nHost: 127.0.0.1', 200],
    ['GET /v2/ HTTP/1.1\r\nHost: localhost\r\nHost: localhost', 400],
    ['GET /v2/ HTTP/1.1\r\nHost: localhost\r\nhost: evil.example', 400],
    ['GET /v2/ HTTP/1.1\r\nHost: evil.example\r\nHOST: localhost', 400],
    ['GET /v2/ HTTP/1.1\r\nhost:\tlocalhost\t', 200],
    ['GET /v2/ HTTP/1.1\r\nX-Forwarded-Host: evil.example\r\nHost: localhost', 200],
  ])('answers %j with %i', async (head, status) => {
    expect(await speak(`${head}\r\nConnection: close\r\n\r\n`)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  test('judges each request of a connection, also behind one that passed', async () => {
    const [good, bad] = ['localhost', 'evil.example'].map((host) => `GET /v2/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    const last = 'GET /v2/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n';
    const answer = await speak(`${good}${bad}${good}${bad}${good}${last}`);
    expect([...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual([
      '200',
      '421',
      '200',
      '421',
      '200',
      '421',
    ]);
  });

  test('whose name stands for this machine answers to that name', async () => {
    const server = await startServer(createMemoryRegistry(), { host: 'localhost', allowedHosts: undefined });
    expect((await fetch(`http://localhost:${server.port}/v2/`)).status).toBe(200);
  });

  test('does not start with an allowed host that is none', async () => {
    for (const entry of ['', 'a b', 'host:5000', 'https://host', '*host', '*.', '[::1]:5000', 'a/b']) {
      await expect(startServer(createMemoryRegistry(), { allowedHosts: [entry] })).rejects.toThrow(TypeError);
    }
  });
});

test('a server on all addresses answers to any host, and with allowed ones to those', async () => {
  const ask = (text: string, allowedHosts?: string[]): Promise<string> =>
    startServer(createMemoryRegistry(), { host: '0.0.0.0', allowedHosts }).then((server) =>
      server.speak(`GET /v2/ HTTP/1.1\r\nHost: ${text}\r\nConnection: close\r\n\r\n`),
    );
  expect(await ask('evil.example')).toMatch(/^HTTP\/1.1 200 /);
  expect(await ask('evil.example', ['good.example'])).toMatch(/^HTTP\/1.1 421 /);
  expect(await ask('good.example', ['good.example'])).toMatch(/^HTTP\/1.1 200 /);
});

test('a fetch handler judges the host of the URL only with allowed ones', async () => {
  const open = createServer(createMemoryRegistry());
  expect((await open.fetch(new Request('http://any.example/v2/'))).status).toBe(200);
  const choosy = createServer(createMemoryRegistry(), { allowedHosts: ['good.example'] });
  const statuses = ['http://good.example/v2/', 'https://evil.example/v2/', 'http://localhost:8080/v2/'].map(
    async (url) => (await choosy.fetch(new Request(url))).status,
  );
  expect(await Promise.all(statuses)).toEqual([200, 421, 200]);
});

const host = 'Host: 127.0.0.1:5000\r\n';

describe.each(parsers)('a page of a browser, whose request %s reads,', (_name, field) => {
  const post = async (fields: string, options = {}, method = 'POST'): Promise<string> => {
    const server = await startServer(createMemoryRegistry(), options);
    return server.speak(
      `${method} /v2/a/blobs/uploads/ HTTP/1.1\r\n${field}${fields}Content-Length: 0\r\nConnection: close\r\n\r\n`,
    );
  };

  test.each([
    `${host}Sec-Fetch-Site: cross-site\r\n`,
    `${host}Sec-Fetch-Site: cross-site\r\nOrigin: https://evil.example\r\n`,
    `${host}Sec-Fetch-Site: Cross-Site\r\n`,
    `${host}Sec-Fetch-Site: unheard-of\r\n`,
    `${host}Origin: https://evil.example\r\n`,
    `${host}Origin: https://127.0.0.1:5000.evil.example\r\n`,
    `${host}Origin: http://127.0.0.1\r\n`,
    `${host}Origin: http://localhost:5000\r\n`,
    `${host}Origin: null\r\n`,
    `${host}Origin: \r\n`,
    `${host}Origin: chrome-extension://abcdefgh\r\n`,
    `${host}Sec-Fetch-Site: same-site\r\nOrigin: http://127.0.0.1:3000\r\n`,
    `${host}Origin: http://127.0.0.1:5000, https://evil.example\r\n`,
  ])('may not change anything with %j', async (fields) => {
    const answer = await post(fields);
    expect(answer).toMatch(/^HTTP\/1.1 403 [^]*"DENIED"[^]*CORS/);
  });

  test.each([
    host,
    `${host}Sec-Fetch-Site: same-origin\r\n`,
    `${host}Sec-Fetch-Site: none\r\n`,
    `${host}Sec-Fetch-Site: same-origin\r\nOrigin: http://127.0.0.1:5000\r\n`,
    `${host}Origin: http://127.0.0.1:5000\r\n`,
    `${host}Origin: https://127.0.0.1:5000\r\n`,
    'Host: localhost:80\r\nOrigin: http://localhost\r\n',
    'Host: localhost\r\nOrigin: http://LOCALHOST:80\r\n',
  ])('may change the registry with %j', async (fields) => {
    expect(await post(fields)).toMatch(/^HTTP\/1.1 202 /);
  });

  test.each(['GET', 'HEAD', 'OPTIONS'])('of another site may send %s', async (method) => {
    expect(await post(`${host}Sec-Fetch-Site: cross-site\r\n`, {}, method)).not.toMatch(/^HTTP\/1.1 403/);
  });

  test.each(['PUT', 'PATCH', 'DELETE', 'PROPFIND'])('of another site may not send %s', async (method) => {
    expect(await post(`${host}Sec-Fetch-Site: cross-site\r\n`, {}, method)).toMatch(/^HTTP\/1.1 403/);
  });

  test('of an allowed origin may change the registry, and one of another may not', async () => {
    const allowedOrigins = ['https://ui.example'];
    const fields = (origin: string): string => `${host}Sec-Fetch-Site: cross-site\r\nOrigin: ${origin}\r\n`;
    expect(await post(fields('https://ui.example'), { allowedOrigins })).toMatch(/^HTTP\/1.1 202 /);
    expect(await post(fields('http://ui.example'), { allowedOrigins })).toMatch(/^HTTP\/1.1 403 /);
    expect(await post(fields('https://evil.example'), { allowedOrigins: ['*'] })).toMatch(/^HTTP\/1.1 202 /);
  });
});

describe('CONNECT', () => {
  test.each(['', 'GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n'])('is answered with 405 behind %j', async (before) => {
    const server = await startServer(createMemoryRegistry());
    const answer = await server.speak(
      `${before}CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\nhello`,
    );
    expect(answer.startsWith('HTTP/1.1 200 ')).toBe(before !== '');
    expect(answer).toMatch(/HTTP\/1.1 405 Method Not Allowed\r\n[^]*Allow: GET[^]*"UNSUPPORTED"[^}]*}]}$/);
  });

  test('waits for the answer to the request before it', async () => {
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const server = await startServer(createMemoryRegistry(), {
      middleware: [
        async (exchange, next) => {
          await gate;
          return next(exchange);
        },
      ],
    });
    const socket = connect(server.port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    let heard = '';
    socket.on('data', (piece) => (heard += piece.toString('latin1')));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(
      'GET /v2/ HTTP/1.1\r\nHost: localhost\r\nTE: trailers\r\n\r\nCONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n',
    );
    setTimeout(release, 100);
    await closed;
    expect([...heard.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual(['200', '405']);
  });
});

test('an expectation that the server does not know is ignored', async () => {
  const server = await startServer(createMemoryRegistry());
  const answer = await server.speak(
    'GET /v2/ HTTP/1.1\r\nHost: localhost\r\nExpect: a miracle\r\nConnection: close\r\n\r\n',
  );
  expect(answer).toMatch(/^HTTP\/1.1 200 /);
});
