import { Hono } from 'hono';
import { describe, expect, test } from 'vitest';

import { startServer } from '../../../test/start-server.ts';
import {
  blobDescriptor,
  createContent,
  digestOf,
  identityOf,
  HttpError,
  mediaTypes,
  partialRegistry,
  RegistryError,
} from '../../model/index.ts';
import { serve } from '../../node/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { readOnly } from '../../views/index.ts';

import { createServer } from './server.ts';
import type { Reply } from './shared/index.ts';

const bytes = new TextEncoder().encode('0123456789');
const digest = digestOf(bytes);

describe('every answer', () => {
  test.each(['/v2/', '/v2'])('to %s says that this is a registry', async (path) => {
    const server = await startServer(createMemoryRegistry());
    for (const method of ['GET', 'HEAD']) {
      const response = await server.fetch(path, { method });
      expect(response.status).toBe(200);
      expect(response.headers.get('docker-distribution-api-version')).toBe('registry/2.0');
    }
  });

  test('to / is answered 200 with a text, for health checks', async () => {
    const server = await startServer(createMemoryRegistry());
    const response = await server.fetch('/');
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/plain; charset=utf-8']);
    expect(await response.text()).toContain('/v2/');
    const head = await server.fetch('/', { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, response.headers.get('content-length')]);
  });

  test.each([
    ['POST', '/', 404, 'NOT_FOUND'],
    ['GET', '//', 404, 'NOT_FOUND'],
    ['GET', '/v1/_ping', 404, 'NOT_FOUND'],
    ['GET', '/v2/a', 404, 'NOT_FOUND'],
    ['GET', '/v2/a/tags', 404, 'NOT_FOUND'],
    ['GET', '/v2/a/tags/', 404, 'NOT_FOUND'],
    ['GET', '/v2/a/uploads/x', 404, 'NOT_FOUND'],
    ['GET', '/v2x/', 404, 'NOT_FOUND'],
    ['POST', '/v2/', 405, 'UNSUPPORTED'],
    ['PUT', '/v2/a/tags/list', 405, 'UNSUPPORTED'],
    ['GET', '/v2/a/blobs/uploads/', 405, 'UNSUPPORTED'],
    ['BREW', '/v2/', 400, 'BAD_REQUEST'],
    ['PROPFIND', '/v2/', 405, 'UNSUPPORTED'],
  ])('to %s %s is %i %s with a JSON body', async (method, path, status, code) => {
    const server = await startServer(createMemoryRegistry());
    const answer = await server.speak(`${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toMatch(/content-type: application\/json/i);
    expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4))).toMatchObject({ errors: [{ code }] });
  });

  test('with 405 names the methods of the resource', async () => {
    const server = await startServer(createMemoryRegistry());
    const response = await server.fetch(`/v2/a/blobs/${digest}`, { method: 'PUT' });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD, DELETE, OPTIONS']);
    const options = await server.fetch('/v2/a/blobs/uploads/', { method: 'OPTIONS' });
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'POST, OPTIONS']);
  });

  test('with 405 leaves out a method that the registry does not support', async () => {
    const registry = createMemoryRegistry();
    await registry.pushBlob('a', { digest }, bytes);
    const server = await startServer(readOnly(registry));
    const response = await server.fetch(`/v2/a/blobs/${digest}`, { method: 'DELETE' });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS']);
    expect(await server.codeOf(response)).toBe('UNSUPPORTED');
    for (const [method, path] of [
      ['POST', '/v2/a/blobs/uploads/'],
      ['PUT', '/v2/a/manifests/x'],
    ] as const) {
      expect((await server.fetch(path, { method, body: '{}' })).status).toBe(405);
    }
    expect((await server.fetch(`/v2/a/blobs/${digest}`)).status).toBe(200);
    expect(await (await server.fetch('/v2/_catalog')).json()).toEqual({ repositories: ['a'] });
  });
});

describe('a server with options', () => {
  test('sends warnings with every answer', async () => {
    const server = await startServer(createMemoryRegistry(), { warnings: ['it "ends"', 'soon\r\nX: y'] });
    const response = await server.fetch('/v2/nothing');
    expect(response.headers.get('warning')).toBe('299 - "it \\"ends\\"", 299 - "soon X: y"');
  });

  test('sends warnings that depend on the request', async () => {
    const server = await startServer(createMemoryRegistry(), {
      warnings: ({ path }) => (path === '/v2/' ? [] : ['deprecated']),
    });
    expect((await server.fetch('/v2/')).headers.get('warning')).toBeNull();
    expect((await server.fetch('/v2/_catalog')).headers.get('warning')).toBe('299 - "deprecated"');
  });

  test('runs middleware around every route, the first one outermost, and it may answer by itself', async () => {
    const order: string[] = [];
    const server = await startServer(createMemoryRegistry(), {
      middleware: [
        async (exchange, next) => {
          order.push('first');
          const reply = await next(exchange);
          reply.headers['X-Seen'] = `${reply.status}`;
          return reply;
        },
        async (exchange, next) => {
          order.push('second');
          if (exchange.header('authorization') !== undefined) return next(exchange);
          throw new RegistryError('UNAUTHORIZED', 'log in first');
        },
        async (exchange, next) => {
          if (exchange.path === '/health') return { status: 200, headers: {}, body: 'well' };
          return next(exchange);
        },
      ],
    });
    const refused = await server.fetch('/v2/');
    expect([refused.status, await server.codeOf(refused)]).toEqual([401, 'UNAUTHORIZED']);
    const headers = { authorization: 'Basic eA==' };
    const seen = await server.fetch('/v2/missing', { headers });
    expect([seen.status, seen.headers.get('x-seen')]).toEqual([404, '404']);
    expect(await (await server.fetch('/health', { headers })).text()).toBe('well');
    expect(order.slice(0, 2)).toEqual(['first', 'second']);
  });

  test('passes the caller that a middleware names, and the namespace, to the registry', async () => {
    const seen: unknown[] = [];
    const server = await startServer(
      partialRegistry({
        resolveTag: (_repository, _tag, options) => {
          seen.push(options?.context);
          return Promise.reject(new RegistryError('MANIFEST_UNKNOWN', 'none'));
        },
      }),
      {
        middleware: [
          (exchange, next) => {
            exchange.identity = identityOf('alice');
            return next(exchange);
          },
        ],
      },
    );
    await server.fetch('/v2/a/manifests/t?ns=docker.io', { method: 'HEAD' });
    expect(seen).toEqual([{ identity: identityOf('alice'), namespace: 'docker.io' }]);
  });

  test('logs each request, and each failure with its error', async () => {
    const lines: [string, string, Readonly<Record<string, unknown>>][] = [];
    const server = await startServer(partialRegistry({ tags: () => fail(new Error('the disk is on fire')) }), {
      debugId: 'r1',
      logger: {
        info: (message, fields) => lines.push(['info', message, fields]),
        warn: (message, fields) => lines.push(['warn', message, fields]),
        error: (message, fields) => lines.push(['error', message, fields]),
      },
    });
    await server.fetch('/v2/a/tags/list?n=1');
    const about = { server: 'r1', method: 'GET', path: '/v2/a/tags/list', query: 'n=1' };
    expect(lines).toMatchObject([
      ['error', 'failed', { ...about, error: { message: 'the disk is on fire' } }],
      ['info', 'request', { ...about, status: 500 }],
    ]);
  });

  test('answers a push with the location of locationsForDescriptor', async () => {
    const server = await startServer(createMemoryRegistry(), {
      locationsForDescriptor: (isManifest, descriptor) => [`https://cdn.example/${isManifest}/${descriptor.digest}`],
    });
    const response = await server.fetch(`/v2/a/blobs/uploads/?digest=${digest}`, { method: 'POST', body: bytes });
    expect(response.headers.get('location')).toBe(`https://cdn.example/false/${digest}`);
    const read = await server.fetch(`/v2/a/blobs/${digest}`, { redirect: 'manual' });
    expect([read.status, read.headers.get('location')]).toEqual([307, `https://cdn.example/false/${digest}`]);
  });

  test('answers one upload above the limit with 429 and Retry-After', async () => {
    const server = await startServer(createMemoryRegistry(), { limits: { concurrentUploads: 1 } });
    let finish = (): void => undefined;
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(bytes);
        finish = () => controller.close();
      },
    });
    const location = (await server.fetch('/v2/a/blobs/uploads/', { method: 'POST' })).headers.get('location') ?? '';
    const slow = server.fetch(location, { method: 'PATCH', body, duplex: 'half' } as RequestInit);
    await expect.poll(async () => (await server.fetch(location)).headers.get('upload-offset')).toBe('10');
    const refused = await server.fetch(`/v2/a/blobs/uploads/?digest=${digest}`, { method: 'POST', body: bytes });
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
    expect(await server.codeOf(refused)).toBe('TOOMANYREQUESTS');
    finish();
    expect((await slow).status).toBe(202);
    expect((await server.fetch(`${location}?digest=${digest}`, { method: 'PUT' })).status).toBe(201);
  });

  test('answers a body that pauses too long with 408, and keeps the received bytes', async () => {
    const server = await startServer(createMemoryRegistry(), { limits: { bodyTimeout: 100 } });
    const location = (await server.fetch('/v2/a/blobs/uploads/', { method: 'POST' })).headers.get('location') ?? '';
    const answer = await server.speak(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234`);
    expect(answer).toMatch(/^HTTP\/1.1 408 /);
    expect(answer).toContain('REQUEST_TIMEOUT');
    expect((await server.fetch(location)).headers.get('upload-offset')).toBe('5');
  });
});

describe('a server', () => {
  const broken = (): never => {
    throw new Error('the hook is broken');
  };

  test('answers requests although the functions in its options fail', async () => {
    const server = await startServer(partialRegistry({ tags: () => fail(new Error('x')) }), {
      onError: broken,
      warnings: broken,
      logger: { info: broken, warn: broken, error: broken },
    });
    expect((await server.fetch('/v2/')).status).toBe(200);
    expect((await server.fetch('/v2/a/tags/list')).status).toBe(500);
  });

  test.each(['node', 'fetch'])('accepts a changed exchange from a middleware, with the %s handler', async (adapter) => {
    const options: Parameters<typeof createServer>[1] = {
      middleware: [(exchange, next) => next({ ...exchange, path: exchange.path.replace('/prefix', '') })],
    };
    if (adapter === 'fetch') {
      const { fetch: answer } = createServer(createMemoryRegistry(), options);
      expect((await answer(new Request('http://x/prefix/v2/_catalog'))).status).toBe(200);
      return;
    }
    const server = await startServer(createMemoryRegistry(), options);
    expect((await server.fetch('/prefix/v2/_catalog')).status).toBe(200);
  });

  describe.each<[string, number, () => Reply['body']]>([
    ['a shorter text', 1, () => 'a'],
    ['a longer text', 2000, () => 'ä'.repeat(1000)],
    ['an empty text', 0, () => ''],
    ['no body', 0, () => undefined],
    ['fewer bytes', 1, () => new Uint8Array(1)],
    ['more bytes', 300_000, () => new Uint8Array(300_000)],
    [
      'content',
      5,
      () => createContent({ descriptor: blobDescriptor(digest, 5), source: { pieces: [new Uint8Array(5)] } }),
    ],
  ])('a middleware that changes a body to %s', (_what, size, body) => {
    test.each(['Content-Length', 'content-length'])('sends the length of that, not the old %s', async (name) => {
      const server = await startServer(createMemoryRegistry(), {
        middleware: [
          async (exchange, next) => {
            const { 'Content-Length': length = '2', ...headers } = (await next(exchange)).headers;
            return { status: 200, headers: { ...headers, [name]: length }, body: body() };
          },
        ],
      });
      // Both on one connection: a wrong length would spoil the second answer.
      const request = 'GET /v2/ HTTP/1.1\r\nHost: x\r\n';
      const answer = await server.speak(`${request}\r\n${request}Connection: close\r\n\r\n`);
      expect(answer.match(/^content-length: \d+/gim)?.map((line) => Number(line.split(':')[1]))).toEqual([size, size]);
      expect(answer.match(/HTTP\/1\.1 200 /g)).toHaveLength(2);
    });
  });

  test('lets writeError make the answers to failed requests', async () => {
    const seen: unknown[] = [];
    const server = await startServer(partialRegistry({}), {
      writeError: (error, reply, { path }) => {
        seen.push(error);
        if (path.endsWith('/x')) throw new Error('no text for this one');
        return { ...reply, headers: { 'Content-Type': 'text/plain' }, body: `failed with ${reply.status}` };
      },
    });
    const response = await server.fetch('/v2/a/tags/list');
    expect([response.status, response.headers.get('content-type')]).toEqual([405, 'text/plain']);
    expect(await response.text()).toBe('failed with 405');
    expect(seen).toEqual([expect.objectContaining({ code: 'UNSUPPORTED' })]);
    expect(await (await server.fetch('/v2/a/manifests/x')).json()).toMatchObject({ errors: [{ code: 'UNSUPPORTED' }] });
    expect(await (await server.fetch('/v2/')).json()).toEqual({});
  });

  test('does not change the reply object of a middleware', async () => {
    const denied = Object.freeze({ status: 401, headers: Object.freeze({}), body: 'no' });
    const server = await startServer(createMemoryRegistry(), { middleware: [async () => denied] });
    await server.fetch('/v2/', { method: 'HEAD' });
    expect(await (await server.fetch('/v2/')).text()).toBe('no');
  });

  test('sends the challenge of an error to the client', async () => {
    const error = new RegistryError('UNAUTHORIZED', 'log in', { challenge: 'Basic realm="registry"' });
    const server = await startServer(partialRegistry({ getTag: () => Promise.reject(error) }));
    const response = await server.fetch('/v2/a/manifests/x');
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Basic realm="registry"']);
  });

  test('does not answer with a success when another registry fails with the status 200', async () => {
    const error = new HttpError({ status: 200, method: 'GET', url: 'https://x/v2/', errors: [{ code: 'ODD' }] });
    const server = await startServer(partialRegistry({ getTag: () => Promise.reject(error) }));
    expect((await server.fetch('/v2/a/manifests/x')).status).toBe(502);
  });

  test('cuts upload ids and hides unknown parameters in its log', async () => {
    const lines: string[] = [];
    const note = (_message: string, fields: Readonly<Record<string, unknown>>): number =>
      lines.push(JSON.stringify(fields));
    const server = await startServer(createMemoryRegistry(), { logger: { info: note, warn: note, error: note } });
    const location = (await server.fetch('/v2/a/blobs/uploads/', { method: 'POST' })).headers.get('location') ?? '';
    await server.fetch(`${location}?_state=secret&digest=x`, { method: 'PUT' });
    expect(lines.join('')).not.toContain('secret');
    expect(lines.join('')).toContain('_state=…&digest=x');
    expect(lines.join('')).not.toContain(location);
  });
});

describe('the fetch handler', () => {
  test('serves a registry in Hono, beside other routes', async () => {
    const server = createServer(createMemoryRegistry());
    const app = new Hono();
    app.get('/', (c) => c.text('home'));
    app.all('/v2/*', (c) => server.fetch(c.req.raw));

    const begun = await app.request('/v2/a/blobs/uploads/', { method: 'POST' });
    const location = begun.headers.get('location') ?? '';
    const patched = await app.request(location, { method: 'PATCH', body: bytes });
    expect([patched.status, patched.headers.get('range')]).toEqual([202, '0-9']);
    const done = await app.request(`${location}?digest=${digest}`, { method: 'PUT' });
    expect(done.status).toBe(201);
    const part = await app.request(`/v2/a/blobs/${digest}`, { headers: { range: 'bytes=3-5' } });
    expect([part.status, await part.text()]).toEqual([206, '345']);
    const head = await app.request(`/v2/a/blobs/${digest}`, { method: 'HEAD' });
    expect([head.headers.get('content-length'), await head.text()]).toEqual(['10', '']);
    expect(await (await app.request('/')).text()).toBe('home');
  });

  test('reports content that fails in the middle', async () => {
    const errors: unknown[] = [];
    const descriptor = { mediaType: 'application/octet-stream', digest, size: 100 };
    const registry = partialRegistry({
      getBlob: async () =>
        createContent({ descriptor, source: { iterate: () => fail(new Error('the disk is gone')) } }),
    });
    const server = createServer(registry, { onError: (error) => errors.push(error) });
    const response = await server.fetch(new Request(`http://x/v2/a/blobs/${digest}`));
    await expect(response.text()).rejects.toThrow();
    expect(errors).toMatchObject([{ message: 'the disk is gone' }]);
  });

  test('sends the same errors, lists and warnings as the Node listener', async () => {
    const server = createServer(createMemoryRegistry(), { warnings: ['a', 'b'] });
    const response = await server.fetch(new Request('http://x/v2/A/tags/list'));
    expect(response.status).toBe(400);
    expect(response.headers.get('warning')).toBe('299 - "a", 299 - "b"');
    expect(await response.json()).toMatchObject({ errors: [{ code: 'NAME_INVALID' }] });
    expect(await (await server.fetch(new Request('http://x/v2/_catalog?n=1'))).json()).toEqual({ repositories: [] });
  });
});

function fail(error: Error): AsyncIterable<never> {
  return { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }) };
}

test.each([undefined, null, {}, { port: 0 }, 'registry'])(
  'a server of %j, which is no registry, is refused',
  async (given) => {
    expect(() => createServer(given as never)).toThrow(/the first argument has to be a registry/);
    await expect(serve(given as never)).rejects.toThrow(/the first argument has to be a registry/);
  },
);

test('a manifest above the limit is answered 413, even if its first piece alone fills the limit', async () => {
  const { fetch } = createServer(createMemoryRegistry(), { limits: { manifestSize: 100 } });
  const index = { schemaVersion: 2, mediaType: mediaTypes.imageIndex, manifests: [] };
  const long = new TextEncoder().encode(JSON.stringify(index).padEnd(199));
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of [long.subarray(0, 100), long.subarray(100)]) controller.enqueue(piece);
      controller.close();
    },
  });
  const headers = { 'content-type': mediaTypes.imageIndex };
  const init = { method: 'PUT', body, duplex: 'half', headers } as RequestInit;
  const response = await fetch(new Request('http://localhost/v2/a/manifests/big', init));
  expect(response.status).toBe(413);
});
