import { describe, expect, test, vi } from 'vitest';

import { failureOf, requestTo, transportTo } from '../../../../test/transport-to.ts';

import { Lanes } from './lanes.ts';

describe('lanes', () => {
  test('let a fixed number of requests run, and then one for each that ends, in their order', async () => {
    const lanes = new Lanes({ small: 2 });
    const order: string[] = [];
    const first = await lanes.take('small');
    const second = await lanes.take('small');
    const third = lanes.take('small').then((release) => {
      order.push('third');
      return release;
    });
    const fourth = lanes.take('small').then((release) => {
      order.push('fourth');
      return release;
    });
    await new Promise(setImmediate);
    expect(order).toEqual([]);
    second();
    (await third)();
    (await fourth)();
    first();
    expect(order).toEqual(['third', 'fourth']);
  });

  test('do not hold one another up', async () => {
    const lanes = new Lanes({ small: 1, download: 1, upload: 1 });
    await lanes.take('download');
    await lanes.take('upload');
    await lanes.take('small');
  });

  test('count a place that is given back twice once', async () => {
    const lanes = new Lanes({ small: 1 });
    const release = await lanes.take('small');
    release();
    release();
    await lanes.take('small');
    const waiting = vi.fn<() => void>();
    void lanes.take('small').then(waiting);
    await new Promise(setImmediate);
    expect(waiting).not.toHaveBeenCalled();
  });

  test('forget a request that has given up waiting', async () => {
    const lanes = new Lanes({ small: 1 });
    const release = await lanes.take('small');
    const leaving = new AbortController();
    const left = lanes.take('small', leaving.signal);
    const staying = lanes.take('small');
    const reason = new Error('no more');
    leaving.abort(reason);
    expect(await failureOf(left)).toBe(reason);
    release();
    (await staying)();
    expect(await failureOf(lanes.take('small', leaving.signal))).toBe(reason);
    await lanes.take('small');
  });

  test.each([0, -1, Number.NaN])('do not take %j as their number', (small) => {
    expect(() => new Lanes({ small })).toThrow(RangeError);
  });
});

describe('requests', () => {
  test('run a fixed number at a time until their bodies have been read', async () => {
    let running = 0;
    let most = 0;
    const transport = await transportTo(
      (_, response) => {
        most = Math.max(most, ++running);
        response.on('finish', () => running--);
        response.write('hel');
        setTimeout(() => response.end('lo'), 5);
      },
      { concurrency: { small: 3 } },
    );
    const all = Array.from({ length: 12 }, async () => {
      const answer = await transport.send(requestTo(transport));
      return new TextDecoder().decode(await answer.bytes(10));
    });
    expect(new Set(await Promise.all(all))).toEqual(new Set(['hello']));
    expect(most).toBe(3);
  });

  test('free their place when they fail, are discarded, are left in the middle, or have no body', async () => {
    const transport = await transportTo(
      (request, response) => {
        if (request.url === '/404') response.writeHead(404).end('x');
        else if (request.url === '/cut')
          response.writeHead(200, { 'content-length': '9' }).end('x', () => request.destroy());
        else if (request.url === '/204') response.writeHead(204).end();
        else response.end('x'.repeat(1_000_000));
      },
      { concurrency: { small: 1 }, backOff: false },
    );
    await failureOf(transport.send(requestTo(transport, { path: '/404' })));
    await (await transport.send(requestTo(transport))).discard();
    const answer = await transport.send(requestTo(transport));
    for await (const piece of answer.body()) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    await failureOf((await transport.send(requestTo(transport, { path: '/cut' }))).bytes(10));
    await failureOf((await transport.send(requestTo(transport))).bytes(10));
    await transport.send(requestTo(transport, { path: '/204', expect: [204] }));
    await transport.send(requestTo(transport, { method: 'HEAD' }));
    await (await transport.send(requestTo(transport))).bytes(1_000_000);
  });

  test('free their place when their body was not read for 30 seconds, or their signal is aborted', async () => {
    const transport = await transportTo((_, response) => response.end('x'.repeat(1_000_000)), {
      concurrency: { small: 1 },
    });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const unread = await transport.send(requestTo(transport));
      const next = transport.send(requestTo(transport));
      vi.advanceTimersByTime(29_000);
      await new Promise(setImmediate);
      vi.advanceTimersByTime(1000);
      const controller = new AbortController();
      await (await next).discard();
      expect(await failureOf(unread.bytes(2_000_000))).toBeInstanceOf(TypeError);

      const { signal } = controller;
      await transport.send(requestTo(transport, { call: { signal } }));
      controller.abort();
      await (await transport.send(requestTo(transport))).discard();
    } finally {
      vi.useRealTimers();
    }
  });

  test('that wait for their turn end with their signal', async () => {
    const transport = await transportTo((_, response) => response.end('x'.repeat(1_000_000)), {
      concurrency: { small: 1 },
    });
    const unread = await transport.send(requestTo(transport));
    const signal = AbortSignal.timeout(20);
    expect(await failureOf(transport.send(requestTo(transport, { call: { signal } })))).toBe(signal.reason);
    await unread.discard();
  });
});
