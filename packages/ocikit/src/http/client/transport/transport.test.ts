import { describe, expect, test } from 'vitest';

import { HttpError, isRegistryError } from '../../../model/index.ts';
import { takesIterables } from '../../wire/index.ts';
import type { Fetch, Scope } from '../../wire/index.ts';

import { eventually } from '../../../../test/eventually.ts';
import { bodyOf } from '../../../../test/listen.ts';
import { failureOf, requestTo, transportTo } from '../../../../test/transport-to.ts';

import type { Authenticator, Authorization } from '../auth/index.ts';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

async function* pieces(...values: string[]): AsyncGenerator<Uint8Array> {
  for (const value of values) yield bytes(value);
}

describe('a transport', () => {
  test('gives an answer with an expected status, and its body', async () => {
    const transport = await transportTo((_, response) => response.end('hello'));
    const answer = await transport.send(requestTo(transport));
    expect(answer.status).toBe(200);
    expect(text(await answer.bytes(100))).toBe('hello');
  });

  test('makes an HttpError of any other status', async () => {
    const transport = await transportTo((_, response) => response.writeHead(418).end('short and stout'));
    const error = await failureOf(transport.send(requestTo(transport)));
    expect(error).toBeInstanceOf(HttpError);
    expect(error).toMatchObject({ status: 418, body: 'short and stout', method: 'GET' });
  });

  test('takes bytes as they are stored, and names its program', async () => {
    const transport = await transportTo((request, response) => {
      response.end(`${request.headers['accept-encoding'] ?? ''} ${request.headers['user-agent'] ?? ''}`);
    });
    expect(text(await (await transport.send(requestTo(transport))).bytes(100))).toBe('identity ocikit');
    const named = await transportTo((request, response) => response.end(request.headers['user-agent']), {
      userAgent: 'mine/1.0',
    });
    expect(text(await (await named.send(requestTo(named))).bytes(100))).toBe('mine/1.0');
  });

  test('ends with the signal before, while and after it is answered', async () => {
    let count = 0;
    const arrived = new AbortController();
    const transport = await transportTo(() => {
      count++;
      arrived.abort(new Error('it has arrived'));
    });
    const reason = new Error('enough');
    const aborted = AbortSignal.abort(reason);
    expect(await failureOf(transport.send(requestTo(transport, { call: { signal: aborted } })))).toBe(reason);
    expect(count).toBe(0);
    const { signal } = arrived;
    expect(await failureOf(transport.send(requestTo(transport, { call: { signal } })))).toBe(signal.reason);
    expect(count).toBe(1);
  });

  test('names the registry that it pulls for, if the caller does', async () => {
    const urls: (string | undefined)[] = [];
    const transport = await transportTo((request, response) => {
      urls.push(request.url);
      response.end();
    });
    const call = { context: { namespace: 'docker.io' } };
    await transport.send(requestTo(transport, { call, path: '/v2/a/manifests/v1' }));
    await transport.send(requestTo(transport, { call, path: '/v2/a/tags/list?n=5&last=a%20b' }));
    await transport.send(requestTo(transport, { call, path: '/v2/a/tags/list?ns=docker.io' }));
    await transport.send(requestTo(transport, { call, path: '/v2/a/manifests/v1', method: 'DELETE' }));
    await transport.send(requestTo(transport, { call, path: '/v2/a/blobs/uploads/x?_state=y' }));
    expect(urls).toEqual([
      '/v2/a/manifests/v1?ns=docker.io',
      '/v2/a/tags/list?n=5&last=a%20b&ns=docker.io',
      '/v2/a/tags/list?ns=docker.io',
      '/v2/a/manifests/v1',
      '/v2/a/blobs/uploads/x?_state=y',
    ]);
  });

  test('has an error for an answer that a registry must not give', async () => {
    const transport = await transportTo((_, response) => response.end());
    const answer = await transport.send(requestTo(transport, { path: '/v2/?token=secret' }));
    const error = transport.wrongResponse(answer, 'has no digest');
    expect(error).toMatchObject({ code: 'UNKNOWN' });
    expect(error.message).toBe(
      `the answer to GET ${new URL('/v2/?token=redacted', transport.base).href} has no digest`,
    );
  });
});

describe('a body', () => {
  test('is sent in one piece or as it comes, with its size if that is known', async () => {
    const seen: unknown[] = [];
    const transport = await transportTo(async (request, response) => {
      const body = await bodyOf(request);
      seen.push([body, request.headers['content-length'], request.headers['transfer-encoding']]);
      response.end();
    });
    const shared = new Uint8Array(new SharedArrayBuffer(3)).fill(65);
    for (const [size, open] of [
      [5, () => bytes('hello')],
      [5, () => bytes('>>hello<<').subarray(2, 7)],
      [5, () => pieces('he', '', 'llo')],
      [undefined, () => pieces('he', 'llo')],
      [3, () => shared],
      [0, () => new Uint8Array()],
      [0, () => pieces()],
    ] as const) {
      await transport.send(requestTo(transport, { method: 'PUT', body: { size, reopenable: true, open } }));
    }
    expect(seen).toEqual([
      ['hello', '5', undefined],
      ['hello', '5', undefined],
      ['hello', '5', undefined],
      ['hello', undefined, 'chunked'],
      ['AAA', '3', undefined],
      ['', '0', undefined],
      ['', '0', undefined],
    ]);
  });

  test('is sent without a stream where fetch takes that', async () => {
    let found = '';
    const send = async (_url: string, init: RequestInit): Promise<Response> => {
      expect(init).not.toHaveProperty('duplex');
      const body: unknown = init.body;
      for await (const piece of body as AsyncIterable<Uint8Array>) found += text(piece);
      return new Response();
    };
    const fetch: Fetch = Object.assign(send, { [takesIterables]: true } as const);
    const transport = await transportTo(() => undefined, { fetch });
    const body = { size: 5, reopenable: true, open: () => pieces('he', 'llo') };
    await transport.send(requestTo(transport, { method: 'PUT', body }));
    expect(found).toBe('hello');
  });

  test.each([
    ['fails', 100],
    ['ends too early', 3],
    ['has too much', 1],
  ])('whose source %s fails with that, and is not sent again', async (what, size) => {
    let count = 0;
    const transport = await transportTo((request, response) => {
      count++;
      request.resume().on('end', () => response.end());
    });
    const mine = new Error('mine');
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield bytes('he');
      if (what === 'fails') throw mine;
    };
    const body = { size, reopenable: true, open: source };
    const error = await failureOf(transport.send(requestTo(transport, { method: 'PUT', body })));
    if (what === 'fails') expect(error).toBe(mine);
    else expect(error).toMatchObject({ code: 'SIZE_INVALID' });
    expect(count).toBeLessThanOrEqual(1);
  });

  test('is released when the registry does not want it', async () => {
    const transport = await transportTo((_, response) => response.writeHead(413, { connection: 'close' }).end());
    let ended = false;
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield new Uint8Array(65_536);
      } finally {
        ended = true;
      }
    };
    const body = { size: 10 ** 12, reopenable: true, open: endless };
    const sent = transport.send(requestTo(transport, { method: 'PUT', body, repeatable: false }));
    // Whether the answer is seen before the connection breaks is a race.
    expect(isRegistryError(await failureOf(sent), 'CONTENT_TOO_LARGE', 'UNAVAILABLE')).toBe(true);
    await eventually(() => expect(ended).toBe(true));
  });
});

/** Gives one header after another, and remembers what it was asked. */
function authenticatorOf(...headers: string[]): Authenticator & { asked: unknown[] } {
  const asked: unknown[] = [];
  const next = (): Authorization | undefined => {
    const header = headers.shift();
    return header === undefined ? undefined : { header };
  };
  return {
    asked,
    isStranger: () => false,
    introduce: () => Promise.resolve(undefined),
    authorize: (scope: Scope) => {
      asked.push(scope);
      return Promise.resolve(undefined);
    },
    reauthorize: (challenges, _scope, refused) => {
      asked.push([...challenges, refused?.header]);
      return Promise.resolve(next());
    },
  };
}

describe('an answer that asks for credentials', () => {
  test('is answered by the same request with credentials, and with its body', async () => {
    const authenticator = authenticatorOf('Bearer right');
    const bodies: string[] = [];
    const transport = await transportTo(
      async (request, response) => {
        const body = await bodyOf(request);
        bodies.push(body);
        if (request.headers.authorization === 'Bearer right') response.end('in');
        else response.writeHead(401, { 'www-authenticate': 'Bearer realm="x"' }).end();
      },
      { authenticator },
    );
    const body = { size: 2, reopenable: true, open: () => bytes('hi') };
    const answer = await transport.send(requestTo(transport, { method: 'PUT', body }));
    expect(text(await answer.bytes(10))).toBe('in');
    expect(bodies).toEqual(['hi', 'hi']);
    expect(authenticator.asked).toEqual([
      [{ type: 'repository', resource: 'a', action: 'pull' }],
      ['Bearer realm="x"', undefined],
    ]);
  });

  test('is answered once more when the token does not allow enough, and no more often', async () => {
    const authenticator = authenticatorOf('Bearer 1', 'Bearer 2', 'Bearer 3');
    let count = 0;
    const transport = await transportTo(
      (request, response) => {
        count++;
        const status = request.headers.authorization === undefined ? 401 : 403;
        response.writeHead(status, { 'www-authenticate': 'Bearer realm="x",error="insufficient_scope"' }).end();
      },
      { authenticator },
    );
    expect(await failureOf(transport.send(requestTo(transport)))).toMatchObject({ status: 403 });
    expect(count).toBe(3);
    expect(authenticator.asked.slice(1)).toEqual([
      ['Bearer realm="x",error="insufficient_scope"', undefined],
      ['Bearer realm="x",error="insufficient_scope"', 'Bearer 1'],
    ]);
  });

  test('is handed to the caller if there are no credentials', async () => {
    let count = 0;
    const transport = await transportTo(
      (_, response) => {
        count++;
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end('who?');
      },
      { authenticator: authenticatorOf() },
    );
    expect(await failureOf(transport.send(requestTo(transport)))).toMatchObject({
      status: 401,
      code: 'UNAUTHORIZED',
      body: 'who?',
    });
    expect(count).toBe(1);
  });

  test('does not ask again after a mere 403, or a 401 that does not say how', async () => {
    for (const [status, headers] of [
      [403, { 'www-authenticate': 'Bearer realm="x"' }],
      [401, {}],
    ] as const) {
      const authenticator = authenticatorOf('Bearer right');
      const transport = await transportTo((_, response) => response.writeHead(status, headers).end(), {
        authenticator,
      });
      expect(await failureOf(transport.send(requestTo(transport)))).toMatchObject({ status });
      expect(authenticator.asked).toHaveLength(1);
    }
  });

  test('is handed to the caller if the body is gone', async () => {
    const authenticator = authenticatorOf('Bearer right');
    const transport = await transportTo(
      (request, response) => {
        request.resume().on('end', () => response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end());
      },
      { authenticator },
    );
    const body = { size: 2, reopenable: false, open: () => pieces('hi') };
    expect(await failureOf(transport.send(requestTo(transport, { method: 'PUT', body })))).toMatchObject({
      status: 401,
    });
    expect(authenticator.asked).toHaveLength(1);
  });
});
