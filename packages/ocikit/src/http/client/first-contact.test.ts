// The errors of a first try: the wrong scheme, no credentials.
import { createServer } from 'node:net';

import { expect, onTestFinished, test } from 'vitest';

import { listenOnFreePort } from '../../../test/free-port.ts';
import { listen } from '../../../test/listen.ts';
import { startTestServer } from '../../../test/start-test-server.ts';
import { toWireError } from '../../model/index.ts';
import { nodeFetch } from '../../node/index.ts';
import { demandTokens, imageOf } from '../../testing/index.ts';

import { createClient } from './index.ts';
import type { ClientOptions } from './index.ts';

const senders: readonly [string, () => Partial<ClientOptions>][] = [
  ['the global fetch', () => ({})],
  ['nodeFetch', () => ({ fetch: nodeFetch({ proxy: false }) })],
];

test.each(senders)('TLS to a port without it is told as that, at once, with %s', async (_name, options) => {
  const host = await listen((_, response) => response.end());
  let retries = 0;
  const client = createClient({ host, scheme: 'https', onRetry: () => retries++, ...options() });
  await expect(client.resolveTag('a', 'v1')).rejects.toThrow(
    /: the server does not speak TLS on this port: use http, with the option scheme: 'http' \(.*\)$/,
  );
  expect(retries).toBe(0);
});

test('plain HTTP to a port with TLS is UNAVAILABLE', async () => {
  const server = await startTestServer({ domains: ['registry.example.com'] });
  const options = { host: `127.0.0.1:${server.port}`, scheme: 'http' as const, backOff: false as const };
  await expect(
    createClient({ ...options, fetch: nodeFetch({ proxy: false }) }).resolveTag('a', 'v1'),
  ).rejects.toMatchObject({
    code: 'UNAVAILABLE',
  });
});

test('an answer that is not HTTP is told as that', async () => {
  // A TLS server answers bytes that are no hello with an alert.
  const server = createServer((socket) => socket.end(Buffer.from([0x15, 0x03, 0x01, 0, 2, 2, 70])));
  onTestFinished(() => void server.close());
  const host = `127.0.0.1:${await listenOnFreePort(server)}`;
  for (const [, options] of senders) {
    await expect(createClient({ host, backOff: false, ...options() }).resolveTag('a', 'v1')).rejects.toThrow(
      "if the server speaks TLS on this port, use https, with the option scheme: 'https'",
    );
  }
});

test.each(['Basic realm="x"', 'Bearer', undefined])(
  'a 401 with the challenge %s to a client without credentials says how to give some',
  async (challenge) => {
    const refused = challenge === undefined ? {} : { 'www-authenticate': challenge };
    const host = await listen((_, response) =>
      response.writeHead(401, refused).end('{"errors":[{"code":"UNAUTHORIZED"}]}'),
    );
    for (const credentials of [undefined, async () => undefined]) {
      const error: unknown = await createClient({ host, credentials })
        .getTag('a', 'v1')
        .catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'UNAUTHORIZED' });
      expect(String(error)).toMatch(
        `: no credentials for ${host} are known. Log in with docker login and use dockerCredentials() of ocikit/node, or give the option credentials`,
      );
      // Other clients, which a server over this one has, cannot give it credentials.
      expect(JSON.stringify(toWireError(error))).not.toContain('no credentials');
    }
    const known = createClient({ host, credentials: async () => ({ username: 'me', password: 'wrong' }) });
    await expect(known.getTag('a', 'v1')).rejects.not.toThrow('no credentials');
  },
);

test('a token server that refuses a stranger is told with how to give credentials', async () => {
  const server = await startTestServer({ faults: [demandTokens({ users: { me: 'secret' } })] });
  await server.addRef('a', 'v1', imageOf());
  const client = createClient({ host: server.host, fetch: server.fetch });
  await expect(client.getTag('a', 'v1')).rejects.toThrow(`no credentials for ${server.host} are known`);
  const logged = createClient({
    host: server.host,
    fetch: server.fetch,
    credentials: async () => ({ username: 'me', password: 'secret' }),
  });
  expect((await logged.getTag('a', 'v1')).bytes.length).toBeGreaterThan(0);
});
