import { describe, expect, test } from 'vitest';

import { bodyOf, listen } from '../../../../test/listen.ts';
import { failureOf, requestTo, transportTo } from '../../../../test/transport-to.ts';

import type { Authenticator } from '../auth/index.ts';

const authenticator: Authenticator = {
  isStranger: () => false,
  introduce: () => Promise.resolve(undefined),
  authorize: () => Promise.resolve({ header: 'Bearer secret' }),
  reauthorize: () => Promise.resolve({ header: 'Bearer other' }),
};

interface Seen {
  where: string;
  method: string | undefined;
  authorization: string | undefined;
  body: string;
}

describe('a redirect', () => {
  test('to another origin takes no credentials along, and none come back with the next one', async () => {
    const seen: Seen[] = [];
    let elsewhere = '';
    const transport = await transportTo(
      (request, response) => {
        const { method, headers, url } = request;
        seen.push({ where: `here${url ?? ''}`, method, authorization: headers.authorization, body: '' });
        if (url === '/v2/') response.writeHead(307, { location: '/within' }).end();
        else if (url === '/within') response.writeHead(302, { location: `http://${elsewhere}/out` }).end();
        else response.end('done');
      },
      { authenticator },
    );
    elsewhere = await listen((request, response) => {
      const { method, headers, url } = request;
      seen.push({ where: `there${url ?? ''}`, method, authorization: headers.authorization, body: '' });
      response.writeHead(308, { location: new URL('/back', transport.base).href }).end();
    });
    const answer = await transport.send(requestTo(transport));
    expect(answer.url.href).toBe(new URL('/back', transport.base).href);
    expect(new TextDecoder().decode(await answer.bytes(10))).toBe('done');
    expect(seen.map(({ where, authorization }) => [where, authorization])).toEqual([
      ['here/v2/', 'Bearer secret'],
      ['here/within', 'Bearer secret'],
      ['there/out', undefined],
      ['here/back', undefined],
    ]);
  });

  test('keeps the other headers', async () => {
    const elsewhere = await listen((request, response) => {
      response.end(`${request.headers.range ?? ''} ${request.headers['user-agent'] ?? ''}`);
    });
    const transport = await transportTo((_, response) =>
      response.writeHead(307, { location: `http://${elsewhere}/` }).end(),
    );
    const answer = await transport.send(requestTo(transport, { headers: { range: 'bytes=1-2' } }));
    expect(new TextDecoder().decode(await answer.bytes(100))).toBe('bytes=1-2 ocikit');
  });

  test.each([301, 302, 307, 308])('with %i keeps the method and sends the body again', async (status) => {
    const seen: Seen[] = [];
    const transport = await transportTo(async (request, response) => {
      const body = await bodyOf(request);
      seen.push({ where: request.url ?? '', method: request.method, authorization: undefined, body });
      if (request.url === '/v2/') response.writeHead(status, { location: '/next' }).end();
      else response.end();
    });
    const body = { size: 5, reopenable: true, open: () => new TextEncoder().encode('hello') };
    await transport.send(requestTo(transport, { method: 'PUT', body }));
    expect(seen).toEqual([
      { where: '/v2/', method: 'PUT', authorization: undefined, body: 'hello' },
      { where: '/next', method: 'PUT', authorization: undefined, body: 'hello' },
    ]);
  });

  test('with 303 leads to the outcome, which is read', async () => {
    const seen: unknown[] = [];
    const transport = await transportTo(async (request, response) => {
      const body = await bodyOf(request);
      const { 'content-length': length, 'content-type': type, accept } = request.headers;
      seen.push([request.method, body, length, type, accept]);
      if (request.url === '/v2/') response.writeHead(303, { location: '/next' }).end();
      else response.end();
    });
    const body = { size: 5, reopenable: false, open: () => new TextEncoder().encode('hello') };
    const headers = { 'content-type': 'text/plain', accept: 'text/html' };
    await transport.send(requestTo(transport, { method: 'POST', body, headers }));
    await transport.send(requestTo(transport, { method: 'HEAD' }));
    expect(seen).toEqual([
      ['POST', 'hello', '5', 'text/plain', 'text/html'],
      ['GET', '', undefined, undefined, 'text/html'],
      ['HEAD', '', undefined, undefined, '*/*'],
      ['HEAD', '', undefined, undefined, '*/*'],
    ]);
  });

  test('of a body that can be sent only once is an error', async () => {
    const transport = await transportTo((request, response) => {
      request.resume();
      response.writeHead(307, { location: '/next' }).end();
    });
    const body = { size: 5, reopenable: false, open: () => new TextEncoder().encode('hello') };
    const error = await failureOf(transport.send(requestTo(transport, { method: 'PUT', body })));
    expect(error).toMatchObject({ code: 'UNKNOWN' });
  });

  test('is followed ten times and not more', async () => {
    let count = 0;
    const transport = await transportTo((request, response) => {
      count++;
      const left = Number(request.url?.slice(1));
      if (left === 0) response.end();
      else response.writeHead(307, { location: `/${left - 1}` }).end();
    });
    await transport.send(requestTo(transport, { path: '/10' }));
    expect(count).toBe(11);
    const error = await failureOf(transport.send(requestTo(transport, { path: '/11' })));
    expect(String(error)).toContain('after 10 others');
    expect(count).toBe(22);
  });

  test.each(['ftp://127.0.0.1/', 'data:,x', 'file:///etc/passwd', 'http://me:pw@127.0.0.1/', 'http://'])(
    'to %s is not followed',
    async (location) => {
      let count = 0;
      const transport = await transportTo((_, response) => {
        count++;
        response.writeHead(302, { location }).end();
      });
      const error = await failureOf(transport.send(requestTo(transport)));
      expect(error).toMatchObject({ code: 'UNKNOWN' });
      expect(String(error)).not.toContain('pw');
      expect(count).toBe(1);
    },
  );

  test('from https to http is not followed', async () => {
    const urls: string[] = [];
    const transport = await transportTo(() => undefined, {
      host: 'registry.test',
      fetch: (url) => {
        urls.push(url);
        return Promise.resolve(new Response(null, { status: 307, headers: { location: 'http://storage.test/x' } }));
      },
    });
    expect(String(await failureOf(transport.send(requestTo(transport))))).toContain('from https to http');
    expect(urls).toEqual(['https://registry.test/v2/']);
  });

  test.each([
    ['registry.test', 'http://registry.test/x', 'https://registry.test/x'],
    ['registry.test', 'http://registry.test:443/x', 'https://registry.test/x'],
    ['registry.test', 'http://registry.test:80/x', 'https://registry.test/x'],
    ['registry.test:8443', 'http://registry.test/x', 'https://registry.test:8443/x'],
    ['registry.test:8443', 'http://registry.test:8443/x', 'https://registry.test:8443/x'],
  ])('of %s to %s, as the registry calls itself behind TLS, leads to %s', async (host, location, followed) => {
    const urls: string[] = [];
    const transport = await transportTo(() => undefined, {
      host,
      fetch: (url) => {
        urls.push(url);
        const isFirst = urls.length === 1;
        return Promise.resolve(new Response(null, isFirst ? { status: 307, headers: { location } } : { status: 200 }));
      },
    });
    await transport.send(requestTo(transport));
    expect(urls).toEqual([`https://${host}/v2/`, followed]);
  });

  test('without a Location is an answer like any other', async () => {
    const transport = await transportTo((_, response) => response.writeHead(307).end());
    expect(await failureOf(transport.send(requestTo(transport)))).toMatchObject({ status: 307 });
    expect((await transport.send(requestTo(transport, { expect: [307] }))).status).toBe(307);
  });

  test('to a place that asks for credentials does not make the client look for them', async () => {
    const elsewhere = await listen((_, response) => {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"', warning: '299 - "no"' }).end();
    });
    const warnings: string[] = [];
    let asked = 0;
    const transport = await transportTo(
      (_, response) => response.writeHead(307, { location: `http://${elsewhere}/` }).end(),
      {
        onWarning: (warning) => warnings.push(warning),
        authenticator: {
          ...authenticator,
          reauthorize: () => {
            asked++;
            return Promise.resolve(undefined);
          },
        },
      },
    );
    expect(await failureOf(transport.send(requestTo(transport)))).toMatchObject({ status: 401 });
    expect(asked).toBe(0);
    expect(warnings).toEqual([]);
  });

  test('that a browser hides is left to the browser, from then on at once', async () => {
    const modes: unknown[] = [];
    const transport = await transportTo(() => undefined, {
      host: 'registry.test',
      // The responses of browsers to `redirect: 'manual'` and to `follow`.
      fetch: (_url, init) => {
        modes.push(init.redirect);
        const response = new Response(init.redirect === 'follow' ? 'ok' : null);
        const shown =
          init.redirect === 'follow'
            ? { redirected: true, url: 'https://cdn.test/blob' }
            : { type: 'opaqueredirect', status: 0 };
        for (const [name, value] of Object.entries(shown)) Object.defineProperty(response, name, { value });
        return Promise.resolve(response);
      },
    });
    const answer = await transport.send(requestTo(transport));
    expect(answer.url.href).toBe('https://cdn.test/blob');
    expect(new TextDecoder().decode(await answer.bytes(2))).toBe('ok');
    await transport.send(requestTo(transport));
    expect(modes).toEqual(['manual', 'follow', 'follow']);
  });
});
