import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { BufferedBody, ByteBudget, resolveLimits } from '../shared/index.ts';
import type { Exchange, ServerLimits } from '../shared/index.ts';

import { Receiving } from './index.ts';

/** A body that gets its pieces from the test. */
class Dripping implements AsyncIterable<Uint8Array> {
  #give: (result: IteratorResult<Uint8Array>) => void = () => undefined;

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: () => new Promise((resolve) => (this.#give = resolve)),
      return: async () => ({ done: true, value: undefined }),
    };
  }

  async send(count: number): Promise<void> {
    this.#give({ done: false, value: new Uint8Array(count) });
    await vi.advanceTimersByTimeAsync(0);
  }

  async end(): Promise<void> {
    this.#give({ done: true, value: undefined });
    await vi.advanceTimersByTimeAsync(0);
  }
}

let lastOfNetwork = 0;
const anyOfNetwork = {
  get remoteAddress() {
    return `2001:db8::${++lastOfNetwork}`;
  },
};

interface Request {
  body: Dripping;
  /** undefined while it is received. */
  outcome: string | undefined;
}

describe('the bodies that a server receives', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function serverWith(limits: ServerLimits): (parts?: Partial<Exchange>) => Request {
    const receiving = new Receiving(resolveLimits(limits), new ByteBudget(1024 * 1024));
    return (parts = {}) => {
      const body = new Dripping();
      const request: Request = { body, outcome: undefined };
      const exchange: Exchange = {
        method: 'PATCH',
        path: '/',
        query: '',
        header: () => undefined,
        body,
        signal: new AbortController().signal,
        ...parts,
      };
      receiving
        .receive(exchange, undefined, async ({ source }) => {
          if (source instanceof Uint8Array) return;
          for await (const _piece of source);
        })
        .then(
          () => (request.outcome = 'received'),
          (error: { code: string }) => (request.outcome = error.code),
        );
      return request;
    };
  }

  test('fail after a minute below 1 KiB/s, although they never pause for long', async () => {
    const request = serverWith({})();
    for (let seconds = 0; seconds < 55; seconds += 5) {
      await vi.advanceTimersByTimeAsync(5000);
      await request.body.send(1);
    }
    expect(request.outcome).toBeUndefined();
    await vi.advanceTimersByTimeAsync(5000);
    await request.body.send(1);
    expect(request.outcome).toBe('REQUEST_TIMEOUT');
  });

  test('do not fail at 20 KiB/s, however long they last and with pauses of half a minute', async () => {
    const request = serverWith({})();
    for (let seconds = 0; seconds < 600; seconds++) {
      await vi.advanceTimersByTimeAsync(seconds % 60 === 59 ? 30_000 : 1000);
      await request.body.send(20 * 1024);
    }
    expect(request.outcome).toBeUndefined();
    await request.body.end();
    expect(request.outcome).toBe('received');
  });

  test('have time while the server does not read', async () => {
    const receiving = new Receiving(resolveLimits({}), new ByteBudget(1024 * 1024));
    const body = (async function* () {
      for (let i = 0; i < 5; i++) yield new Uint8Array(1);
    })();
    const exchange = {
      method: 'PUT',
      path: '/',
      query: '',
      header: () => undefined,
      body,
      signal: new AbortController().signal,
    };
    const received = receiving.receive(exchange, 5, async ({ source }) => {
      let count = 0;
      for await (const piece of source as AsyncIterable<Uint8Array>) {
        count += piece.length;
        await new Promise((resolve) => setTimeout(resolve, 120_000));
      }
      return count;
    });
    await vi.advanceTimersByTimeAsync(700_000);
    expect(await received).toBe(5);
  });

  test('give way to others once they are slow, down to three quarters of all', async () => {
    const open = serverWith({ concurrentUploads: 8 });
    const slow = Array.from({ length: 8 }, () => open());
    for (let i = 0; i < 5; i++) {
      await vi.advanceTimersByTimeAsync(500);
      for (const { body } of slow) await body.send(1);
    }
    expect(slow.map(({ outcome }) => outcome)).toEqual([
      ...Array<string>(2).fill('REQUEST_TIMEOUT'),
      ...Array<undefined>(6),
    ]);
    const others = [open(), open()];
    for (let i = 0; i < 20; i++) {
      await vi.advanceTimersByTimeAsync(500);
      for (const { body } of others) await body.send(2048);
    }
    for (const { body } of others) await body.end();
    expect(others.map(({ outcome }) => outcome)).toEqual(['received', 'received']);
    expect(slow.filter(({ outcome }) => outcome === undefined)).toHaveLength(6);
  });

  test('wait for their turn until slow ones have given way', async () => {
    const open = serverWith({ concurrentUploads: 8 });
    const slow = Array.from({ length: 8 }, () => open());
    await vi.advanceTimersByTimeAsync(0);
    const other = open();
    await vi.advanceTimersByTimeAsync(3000);
    await other.body.end();
    expect(other.outcome).toBe('received');
    expect(slow.filter(({ outcome }) => outcome === 'REQUEST_TIMEOUT')).toHaveLength(2);
  });

  test('are refused after 4 s if none gives way, and at once if too many wait', async () => {
    const open = serverWith({ concurrentUploads: 8 });
    const fast = Array.from({ length: 8 }, () => open());
    const waiting = Array.from({ length: 5 }, () => open());
    await vi.advanceTimersByTimeAsync(0);
    expect(waiting.map(({ outcome }) => outcome)).toEqual([...Array<undefined>(4), 'TOOMANYREQUESTS']);
    for (let i = 0; i < 9; i++) {
      await vi.advanceTimersByTimeAsync(500);
      for (const { body } of fast) await body.send(2048);
    }
    expect(waiting.map(({ outcome }) => outcome)).toEqual(Array(5).fill('TOOMANYREQUESTS'));
    for (const { body } of fast) await body.end();
    expect(fast.map(({ outcome }) => outcome)).toEqual(Array(8).fill('received'));
  });

  test('of a client that disconnects while it waits take no turn', async () => {
    const open = serverWith({ concurrentUploads: 8 });
    const fast = Array.from({ length: 8 }, () => open());
    const controller = new AbortController();
    const gone = open({ signal: controller.signal });
    const next = open();
    controller.abort({ code: 'gone' });
    await fast[0]?.body.end();
    await next.body.end();
    expect([gone.outcome, next.outcome]).toEqual(['gone', 'received']);
  });

  test.each<[string, Partial<Exchange>, string | undefined]>([
    ['is known', { remoteAddress: '203.0.113.7' }, 'TOOMANYREQUESTS'],
    ['is any of a network of 64 bits', anyOfNetwork, 'TOOMANYREQUESTS'],
    ['is not known', {}, undefined],
    ['is loopback', { remoteAddress: '127.0.0.1' }, undefined],
    ['is loopback in IPv6', { remoteAddress: '::1' }, undefined],
    [
      'is of a proxy',
      {
        remoteAddress: '203.0.113.7',
        header: (name: string) => (name === 'x-forwarded-for' ? '192.0.2.1' : undefined),
      },
      undefined,
    ],
  ])('of one client are limited if its address is known: it %s', async (_what, parts, outcome) => {
    const open = serverWith({ concurrentUploads: 8, uploadsPerAddress: 2 });
    const own = [open(parts), open(parts)];
    const third = open(parts);
    const other = open({ remoteAddress: '203.0.113.8' });
    await vi.advanceTimersByTimeAsync(0);
    expect([third.outcome, other.outcome]).toEqual([outcome, undefined]);
    await own[0]?.body.end();
    const fourth = open(parts);
    await vi.advanceTimersByTimeAsync(0);
    expect([own[0]?.outcome, fourth.outcome]).toEqual(['received', undefined]);
  });

  test('that have arrived as a whole need no time', async () => {
    const open = serverWith({ concurrentUploads: 1 });
    const requests = [1, 2, 3].map(() => open({ body: new BufferedBody(new Uint8Array(10)) }));
    await vi.advanceTimersByTimeAsync(0);
    expect(requests.map(({ outcome }) => outcome)).toEqual(['received', 'TOOMANYREQUESTS', 'TOOMANYREQUESTS']);
  });
});
