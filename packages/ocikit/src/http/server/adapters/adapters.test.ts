import { request } from 'node:https';
import { connect as connectWithTls } from 'node:tls';

import { generate } from 'selfsigned';
import { describe, expect, onTestFinished, test } from 'vitest';

import { startServer } from '../../../../test/start-server.ts';
import { digestOf } from '../../../model/index.ts';
import { serve } from '../../../node/index.ts';
import { createMemoryRegistry } from '../../../stores/memory/index.ts';
import { testCertificate } from '../../../testing/node.ts';
import { createServer } from '../index.ts';
import type { Exchange, Middleware } from '../index.ts';

type Seen = Pick<Exchange, 'remoteAddress' | 'tls'>;

/** A middleware that notes who sends each request. */
function notes(seen: Seen[]): Middleware {
  return ({ remoteAddress, tls, ...rest }, next) => {
    seen.push({ remoteAddress, tls });
    return next({ ...rest, remoteAddress, tls });
  };
}

describe('an exchange names the other end of its connection:', () => {
  test.each([
    ['on the fast path', {}],
    ['in node:http', { expect: '100-continue' }],
  ])('the address %s', async (_where, headers) => {
    const seen: Seen[] = [];
    const server = await startServer(createMemoryRegistry(), { middleware: [notes(seen)] });
    const body = '0123456789';
    const path = `/v2/a/blobs/uploads/?digest=${digestOf(Buffer.from(body))}`;
    expect((await server.raw('POST', path, { 'content-length': '10', ...headers }, body)).status).toBe(201);
    expect((await server.raw('GET', '/v2/', headers)).status).toBe(200);
    const nobody = { remoteAddress: '127.0.0.1', tls: undefined };
    expect(seen).toEqual([nobody, nobody]);
  });

  test('the dotted form of an address that arrives as IPv6', async () => {
    const seen: Seen[] = [];
    const serving = await serve(createMemoryRegistry(), { port: 0, host: '::', middleware: [notes(seen)] });
    await fetch(`http://127.0.0.1:${serving.port}/v2/`);
    await serving.close(0);
    expect(seen).toEqual([{ remoteAddress: '127.0.0.1', tls: undefined }]);
  });

  test.each([
    ['from Deno', { remoteAddr: { transport: 'tcp', hostname: '203.0.113.7', port: 1 } }],
    [
      'from Bun',
      new (class {
        readonly #address = '203.0.113.7';
        requestIP(): { address: string } {
          return { address: this.#address };
        }
      })(),
    ],
    ['from a caller of its own', { remoteAddress: '::ffff:203.0.113.7' }],
  ])('the address that a fetch handler gets %s', async (_from, runtime) => {
    const seen: Seen[] = [];
    const { fetch: handle } = createServer(createMemoryRegistry(), { middleware: [notes(seen)] });
    expect((await handle(new Request('http://localhost/v2/'), runtime)).status).toBe(200);
    expect(seen[0]?.remoteAddress).toBe('203.0.113.7');
  });

  test('the address that Cloudflare passes, and not one that a client makes up', async () => {
    const seen: Seen[] = [];
    const { fetch: handle } = createServer(createMemoryRegistry(), { middleware: [notes(seen)] });
    const sent = (): Request => new Request('http://localhost/v2/', { headers: { 'cf-connecting-ip': '203.0.113.7' } });
    await handle(Object.assign(sent(), { cf: {} }), { BUCKET: {} });
    await handle(sent(), { BUCKET: {} });
    expect(seen.map(({ remoteAddress }) => remoteAddress)).toEqual(['203.0.113.7', undefined]);
  });

  test('TLS if the URL of a request has it, or the caller says so', async () => {
    const seen: Seen[] = [];
    const { fetch: handle } = createServer(createMemoryRegistry(), { middleware: [notes(seen)] });
    const tls = { certificate: undefined };
    await handle(new Request('https://localhost/v2/'));
    await handle(new Request('http://localhost/v2/'), { tls });
    await handle(new Request('http://localhost/v2/'), {});
    expect(seen.map((each) => each.tls)).toEqual([{}, tls, undefined]);
  });

  test.each([[null], [undefined], [7], [{ remoteAddr: null }], [{ requestIP: () => null }], [{ remoteAddress: 7 }]])(
    'no address from a runtime that passes %j',
    async (runtime) => {
      const seen: Seen[] = [];
      const { fetch: handle } = createServer(createMemoryRegistry(), { middleware: [notes(seen)] });
      expect((await handle(new Request('http://localhost/v2/'), runtime)).status).toBe(200);
      expect(seen[0]?.remoteAddress).toBeUndefined();
    },
  );
});

describe("a client's certificate", async () => {
  const serverTls = await testCertificate(['127.0.0.1']);

  /** Asks a server that knows one authority, with a certificate or none. */
  async function seenWith(client: { cert?: string; key?: string }, ca: string): Promise<Seen> {
    const seen: Seen[] = [];
    const tls = { ...serverTls, clientCa: ca };
    const serving = await serve(createMemoryRegistry(), { port: 0, tls, middleware: [notes(seen)] });
    await new Promise<void>((resolve, reject) => {
      const sent = request(
        { host: '127.0.0.1', port: serving.port, path: '/v2/', ca: serverTls.cert, agent: false, ...client },
        (response) => response.resume().once('end', resolve),
      );
      sent.once('error', reject).end();
    });
    await serving.close(0);
    return seen[0] ?? {};
  }

  async function clientCertificate(altNames: { type: 2 | 6; value: string }[]): Promise<{ cert: string; key: string }> {
    const { cert, private: key } = await generate(
      [
        { name: 'commonName', value: 'ci' },
        { name: 'organizationName', value: 'Example' },
        { shortName: 'OU', value: 'one' },
        { shortName: 'OU', value: 'two' },
      ],
      {
        keyType: 'ec',
        algorithm: 'sha256',
        extensions: [
          { name: 'basicConstraints', cA: true, critical: true },
          { name: 'subjectAltName', altNames },
        ],
      },
    );
    return { cert, key };
  }

  test('is there with its names once an authority of the server vouches for it', async () => {
    const client = await clientCertificate([
      { type: 2, value: 'ci.example' },
      { type: 6, value: 'spiffe://example/ci' },
      // Node puts such a name into quotes; it is not the second name that it pretends to be.
      { type: 6, value: 'x:y, DNS:admin.example' },
    ]);
    const { tls } = await seenWith(client, client.cert);
    expect(tls?.certificate).toMatchObject({
      subject: { CN: 'ci', O: 'Example', OU: ['one', 'two'] },
      subjectAltNames: ['DNS:ci.example', 'URI:spiffe://example/ci', 'URI:x:y, DNS:admin.example'],
    });
    expect(tls?.certificate?.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(tls?.certificate?.expires.getTime()).toBeGreaterThan(Date.now());
  });

  test('is absent if the client sends none, or one of another authority', async () => {
    const client = await clientCertificate([]);
    expect((await seenWith({}, client.cert)).tls).toEqual({ certificate: undefined });
    expect((await seenWith(client, serverTls.cert)).tls).toEqual({ certificate: undefined });
  });
});

test('another certificate can be used while the server runs', async () => {
  const [first, second] = [await testCertificate(['127.0.0.1']), await testCertificate(['127.0.0.1'])];
  const serving = await serve(createMemoryRegistry(), { port: 0, tls: first });
  const isTrusted = (ca: string): Promise<boolean> =>
    new Promise((resolve) => {
      request({ host: '127.0.0.1', port: serving.port, path: '/v2/', ca, agent: false }, (response) =>
        response.resume().once('end', () => resolve(true)),
      )
        .once('error', () => resolve(false))
        .end();
    });
  expect([await isTrusted(first.cert), await isTrusted(second.cert)]).toEqual([true, false]);
  expect(() => serving.setTls({ cert: second.cert, key: first.key })).toThrow(/key values mismatch/);
  expect(() => serving.setTls({ ...second, clientCa: second.cert })).toThrow(TypeError);
  expect(await isTrusted(first.cert)).toBe(true);
  serving.setTls(second);
  expect([await isTrusted(first.cert), await isTrusted(second.cert)]).toEqual([false, true]);
  await serving.close(0);
});

test('a server prefers the lightest cipher, with another certificate too', async () => {
  const serving = await serve(createMemoryRegistry(), { port: 0, tls: await testCertificate(['127.0.0.1']) });
  onTestFinished(async () => void (await serving.close(0)));
  const cipher = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connectWithTls({ host: '127.0.0.1', port: serving.port, rejectUnauthorized: false });
      socket.once('error', reject).once('secureConnect', () => {
        resolve(socket.getCipher().name);
        socket.destroy();
      });
    });
  expect(await cipher()).toBe('TLS_AES_128_GCM_SHA256');
  serving.setTls(await testCertificate(['127.0.0.1']));
  expect(await cipher()).toBe('TLS_AES_128_GCM_SHA256');
});
