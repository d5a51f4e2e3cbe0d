import { describe, expect, test } from 'vitest';

import { listen } from '../../../../test/listen.ts';
import { failureOf, requestTo, transportTo } from '../../../../test/transport-to.ts';

import { explain } from './explanation.ts';

describe('an explanation', () => {
  test('has the requests, their redirects, the challenges and the attempts', async () => {
    const storage = await listen((_, response) =>
      response.writeHead(404, { 'docker-content-digest': 'sha256:0' }).end(),
    );
    let count = 0;
    const transport = await transportTo(
      (request, response) => {
        if (count++ === 0) response.destroy();
        else if (request.headers.authorization === undefined) {
          response.writeHead(401, { 'www-authenticate': 'Bearer realm="https://auth.test",service="s"' }).end();
        } else response.writeHead(307, { location: `http://${storage}/blob?X-Signature=secret` }).end();
      },
      {
        authenticator: {
          isStranger: () => false,
          introduce: () => Promise.resolve(undefined),
          authorize: () => Promise.resolve(undefined),
          reauthorize: () => Promise.resolve({ header: 'Bearer hidden' }),
        },
      },
    );
    const error = await failureOf(transport.send(requestTo(transport)));
    const explanation = explain(error);
    const { host } = transport.base;
    expect(explanation?.scope).toEqual(['repository:a:pull']);
    expect(explanation?.requests).toMatchObject([
      {
        method: 'GET',
        url: `http://${host}/v2/`,
        authorized: false,
      },
      { authorized: false, status: 401, challenge: 'Bearer realm="https://auth.test",service="s"' },
      {
        authorized: true,
        status: 404,
        digest: 'sha256:0',
        redirects: [{ status: 307, to: `http://${storage}/blob?X-Signature=redacted` }],
      },
    ]);
    expect(explanation?.requests[0]?.retriedAfter).toBeGreaterThan(0);
    expect(explanation?.requests[0]?.failure).toMatch(/socket|closed|terminated|reset/i);
    const lines = String(explanation)
      .replaceAll(/^\d+ ms/gm, '_ ms')
      .replaceAll(/after \d+ ms/g, 'after _ ms')
      .split('\n');
    expect(lines).toEqual([
      'needed: repository:a:pull',
      expect.stringContaining(`_ ms: GET http://${host}/v2/ without credentials: `),
      '  tried again after _ ms',
      `_ ms: GET http://${host}/v2/ without credentials: 401`,
      '  asked for Bearer realm="https://auth.test",service="s"',
      `_ ms: GET http://${host}/v2/ with credentials: 404`,
      `  sent on (307) to http://${storage}/blob?X-Signature=redacted`,
      '  digest sha256:0',
    ]);
    for (const secret of ['secret', 'hidden']) {
      expect(String(explanation) + JSON.stringify(explanation) + String(error)).not.toContain(secret);
    }
  });

  test('is that of one call, also if it is about a wrong answer, and is found behind other errors', async () => {
    const transport = await transportTo((_, response) => response.end());
    const call = {};
    await transport.send(requestTo(transport, { call: {} }));
    const answer = await transport.send(requestTo(transport, { call }));
    const error = new Error('around', { cause: transport.wrongResponse(answer, 'is wrong') });
    expect(explain(error)?.requests).toHaveLength(1);
  });

  test('has the last fifty requests', async () => {
    const transport = await transportTo((request, response) => {
      response.writeHead(request.url === '/wrong' ? 400 : 200).end();
    });
    const call = {};
    for (let i = 0; i < 60; i++) await (await transport.send(requestTo(transport, { call }))).discard();
    const error = await failureOf(transport.send(requestTo(transport, { call, path: '/wrong' })));
    expect(explain(error)?.requests).toHaveLength(50);
    expect(explain(error)?.requests.at(-1)).toMatchObject({ status: 400 });
  });

  test('is there for no other error', () => {
    for (const other of [new Error('mine'), undefined, null, 'text', 5, {}]) expect(explain(other)).toBeUndefined();
  });
});

describe('calls with the same options', () => {
  test('are told apart, and a copy of a call’s options belongs to the call', async () => {
    const transport = await transportTo((_, response) => response.writeHead(404).end());
    const options = {};
    for (let i = 0; i < 3; i++) {
      const call = transport.begin(options);
      await failureOf(transport.send(requestTo(transport, { call })));
      const signal = AbortSignal.timeout(5000);
      const error = await failureOf(transport.send(requestTo(transport, { call: { ...call, signal } })));
      expect(explain(error)?.requests).toHaveLength(2);
    }
  });
});
