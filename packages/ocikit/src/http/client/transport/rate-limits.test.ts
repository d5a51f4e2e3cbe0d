import { describe, expect, test } from 'vitest';

import { failureOf, requestTo, transportTo } from '../../../../test/transport-to.ts';

import { parseRateLimit } from './rate-limits.ts';

describe('the requests that are left', () => {
  test.each<[string, Record<string, string>, { remaining: number; reset: number } | undefined]>([
    [
      'of Docker Hub',
      { 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '76;w=21600' },
      { remaining: 76, reset: 21600 },
    ],
    ['in the words of the IETF', { ratelimit: '"default";r=50;t=30' }, { remaining: 50, reset: 30 }],
    ['of several', { ratelimit: '"burst";r=5;t=2, "daily";t=80000;r=900' }, { remaining: 5, reset: 2 }],
    ['of several that are used up', { ratelimit: '"a";r=0;t=2,"b";r=0;t=9' }, { remaining: 0, reset: 9 }],
    [
      'in the words of its seventh draft',
      { ratelimit: 'limit=10, remaining=4, reset=50' },
      { remaining: 4, reset: 50 },
    ],
    ['in three headers', { 'ratelimit-remaining': '3', 'ratelimit-reset': '7' }, { remaining: 3, reset: 7 }],
    ['without a time', { 'ratelimit-remaining': '3' }, undefined],
    ['without a number', { ratelimit: '"default";t=30' }, undefined],
    ['in other words', { ratelimit: 'many', 'ratelimit-remaining': 'some;w=3' }, undefined],
    ['in no words', {}, undefined],
  ])('%s', (_, headers, limit) => {
    expect(parseRateLimit(new Headers(headers))).toEqual(limit);
  });

  test('may come back at a point in time, as at GitLab', () => {
    const reset = Math.ceil(Date.now() / 1000) + 600;
    const limit = parseRateLimit(new Headers({ 'ratelimit-remaining': '3', 'ratelimit-reset': String(reset) }));
    expect(limit?.remaining).toBe(3);
    expect(limit?.reset).toBeGreaterThan(300);
    expect(limit?.reset).toBeLessThan(602);
  });
});

describe('requests', () => {
  test('wait when nothing is left, and are never answered 429', async () => {
    let left = 3;
    let refused = 0;
    let windowEnd = Date.now() + 1000;
    const transport = await transportTo((_, response) => {
      if (Date.now() >= windowEnd) {
        left = 3;
        windowEnd = Date.now() + 1000;
      }
      if (left === 0) refused++;
      response.writeHead(left === 0 ? 429 : 200, { ratelimit: `"default";r=${Math.max(0, left - 1)};t=1` }).end();
      left = Math.max(0, left - 1);
    });
    const began = performance.now();
    for (let i = 0; i < 5; i++) await transport.send(requestTo(transport));
    expect(refused).toBe(0);
    expect(performance.now() - began).toBeGreaterThan(900);
  });

  test('that are under way are counted', async () => {
    let count = 0;
    const transport = await transportTo((_, response) => {
      count++;
      // The number that was left when the request came.
      setTimeout(() => response.writeHead(200, { ratelimit: '"default";r=2;t=50' }).end(), 20);
    });
    await transport.send(requestTo(transport));
    const controller = new AbortController();
    const { signal } = controller;
    let answered = 0;
    const sent = Array.from({ length: 5 }, async () => {
      await transport.send(requestTo(transport, { call: { signal } }));
      answered++;
    });
    const results = Promise.allSettled(sent);
    await expect.poll(() => answered).toBeGreaterThanOrEqual(2);
    controller.abort();
    await results;
    expect(count - 1).toBeLessThanOrEqual(4);
    expect(count - 1).toBeGreaterThanOrEqual(2);
  });

  test('do not wait longer than they would after a refusal', async () => {
    const headers = { 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '0;w=21600' };
    const transport = await transportTo((_, response) => response.writeHead(200, headers).end());
    const began = performance.now();
    for (let i = 0; i < 3; i++) await transport.send(requestTo(transport));
    expect(performance.now() - began).toBeLessThan(50_000);
  });

  test('end with their signal while they wait', async () => {
    const transport = await transportTo((_, response) => response.writeHead(200, { ratelimit: '"a";r=0;t=50' }).end());
    await transport.send(requestTo(transport));
    const signal = AbortSignal.timeout(20);
    expect(await failureOf(transport.send(requestTo(transport, { call: { signal } })))).toBe(signal.reason);
  });
});
