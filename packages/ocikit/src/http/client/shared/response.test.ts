import { describe, expect, test } from 'vitest';

import { failureOf, requestTo, transportTo } from '../../../../test/transport-to.ts';
import { rawBody } from '../../wire/index.ts';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe('the body of an answer', () => {
  test('comes as it comes, once', async () => {
    const transport = await transportTo((_, response) => {
      response.write('hel');
      setTimeout(() => response.end('lo'), 20);
    });
    const answer = await transport.send(requestTo(transport));
    let found = '';
    for await (const piece of answer.body()) found += text(piece);
    expect(found).toBe('hello');
    const again = await transport.send(requestTo(transport));
    expect(text(await again.bytes(5))).toBe('hello');
  });

  test('cannot be read beside its reader', async () => {
    const transport = await transportTo((_, response) => response.end('hello'));
    const answer = await transport.send(requestTo(transport));
    const reading = answer.body()[Symbol.asyncIterator]();
    await reading.next();
    expect(await failureOf(answer.bytes(5))).toBeInstanceOf(TypeError);
  });

  test('of more bytes than wanted is refused, whether it announces them or not', async () => {
    const transport = await transportTo((request, response) => {
      if (request.url === '/announced') response.writeHead(200, { 'content-length': '6' });
      response.write('123');
      response.end('456');
    });
    for (const path of ['/announced', '/chunked']) {
      const answer = await transport.send(requestTo(transport, { path }));
      expect(await failureOf(answer.bytes(5))).toMatchObject({ code: 'CONTENT_TOO_LARGE' });
      const fitting = await transport.send(requestTo(transport, { path }));
      expect(text(await fitting.bytes(6))).toBe('123456');
    }
  });

  test('that is cut fails with UNAVAILABLE', async () => {
    const transport = await transportTo((_, response) => {
      response.writeHead(200, { 'content-length': '10' });
      response.write('12345', () => response.destroy());
    });
    const answer = await transport.send(requestTo(transport));
    expect(await failureOf(answer.bytes(10))).toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('that ends before its announced length fails, also if fetch accepts it', async () => {
    const headers = { 'content-length': '10' };
    const transport = await transportTo(() => undefined, {
      fetch: () => Promise.resolve(new Response('12345', { headers })),
    });
    const answer = await transport.send(requestTo(transport));
    expect(await failureOf(answer.bytes(10))).toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('has another length where fetch has decoded it', async () => {
    const headers = { 'content-length': '2', 'content-encoding': 'gzip' };
    const transport = await transportTo(() => undefined, {
      fetch: () => Promise.resolve(new Response('12345', { headers })),
    });
    expect(text(await (await transport.send(requestTo(transport))).bytes(10))).toBe('12345');
  });

  test('ends with the signal, also in the middle', async () => {
    const transport = await transportTo((_, response) => response.write('hel'));
    const controller = new AbortController();
    const answer = await transport.send(requestTo(transport, { call: { signal: controller.signal } }));
    const reading = answer.body()[Symbol.asyncIterator]();
    await reading.next();
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 10);
    expect(await failureOf(reading.next())).toBe(reason);
  });

  test('is read without a stream where fetch offers that', async () => {
    async function* pieces(): AsyncGenerator<Uint8Array> {
      yield new TextEncoder().encode('raw');
    }
    const transport = await transportTo(() => undefined, {
      fetch: () => Promise.resolve(Object.assign(new Response('stream'), { [rawBody]: pieces() })),
    });
    expect(text(await (await transport.send(requestTo(transport))).bytes(10))).toBe('raw');
  });

  test('can be discarded while a reader waits for it', async () => {
    const transport = await transportTo((_, response) => response.write('hel'));
    const answer = await transport.send(requestTo(transport));
    const reading = answer.body()[Symbol.asyncIterator]();
    await reading.next();
    const waiting = reading.next();
    await answer.discard();
    expect((await waiting).done).toBe(true);
  });

  test('leaves its connection usable when a short one is discarded', async () => {
    const ports = new Set<number | undefined>();
    const transport = await transportTo((request, response) => {
      ports.add(request.socket.remotePort);
      response.end('short');
    });
    for (let i = 0; i < 3; i++) {
      await (await transport.send(requestTo(transport))).discard();
      // The sender of requests has to see the end as well.
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(ports.size).toBe(1);
  });
});

describe('a JSON answer', () => {
  test('is parsed, and refused if it is none or too long', async () => {
    const transport = await transportTo((request, response) => response.end(request.url === '/json' ? '{"a":1}' : '{'));
    const answer = await transport.send(requestTo(transport, { path: '/json' }));
    expect(await answer.json(7)).toEqual({ a: 1 });
    const long = await transport.send(requestTo(transport, { path: '/json' }));
    expect(await failureOf(long.json(6))).toMatchObject({ code: 'CONTENT_TOO_LARGE' });
    const none = await transport.send(requestTo(transport, { path: '/none' }));
    expect(await failureOf(none.json(6))).toMatchObject({ code: 'UNKNOWN' });
  });
});

describe('the body of an error', () => {
  test('is kept up to 8 KiB, and the rest is not waited for', async () => {
    const transport = await transportTo((_, response) => {
      response.writeHead(400);
      const write = (): void => {
        if (!response.destroyed) response.write('x'.repeat(5000), () => setTimeout(write, 1));
      };
      write();
    });
    const error = await failureOf(transport.send(requestTo(transport)));
    expect(error).toMatchObject({ status: 400, body: 'x'.repeat(8192) });
  });

  test('may be cut', async () => {
    const transport = await transportTo((_, response) => {
      response.writeHead(400, { 'content-length': '10' });
      response.write('12345', () => response.destroy());
    });
    expect(await failureOf(transport.send(requestTo(transport)))).toMatchObject({ status: 400, body: '12345' });
  });
});
