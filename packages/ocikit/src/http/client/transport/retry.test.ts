import { describe, expect, test } from 'vitest';

import { isTemporaryStatus } from '../../../model/index.ts';
import type { TransferEvent } from '../../../model/index.ts';
import { signalAfter } from '../../../transfer/index.ts';

import { failureOf, requestTo, transportTo } from '../../../../test/transport-to.ts';

import { createClient } from '../index.ts';
import type { BackOff } from '../index.ts';
import { isTemporaryFault } from '../shared/index.ts';

describe('a status', () => {
  test.each([408, 425, 429, 499, 500, 502, 503, 504, 507, 599])('%i may pass', (status) => {
    expect(isTemporaryStatus(status)).toBe(true);
  });

  test.each([200, 304, 400, 401, 403, 404, 405, 409, 412, 413, 416, 418, 501, 505, 511])('%i stays', (status) => {
    expect(isTemporaryStatus(status)).toBe(false);
  });
});

describe('a fault', () => {
  test.each(['ECONNREFUSED', 'ECONNRESET', 'EAI_AGAIN', 'UND_ERR_SOCKET', 'ETIMEDOUT', 'EPIPE'])(
    '%s may pass',
    (code) => {
      expect(isTemporaryFault(new TypeError('fetch failed', { cause: Object.assign(new Error('x'), { code }) }))).toBe(
        true,
      );
    },
  );

  test.each([
    'ENOTFOUND',
    'CERT_HAS_EXPIRED',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'ERR_SSL_WRONG_VERSION_NUMBER',
  ])('%s stays', (code) => {
    expect(isTemporaryFault(new TypeError('fetch failed', { cause: Object.assign(new Error('x'), { code }) }))).toBe(
      false,
    );
  });

  test('that says nothing may pass', () => {
    expect(isTemporaryFault(new TypeError('Failed to fetch'))).toBe(true);
    expect(isTemporaryFault('odd')).toBe(true);
  });
});

/** Answers with these statuses, one after another, and then with 200. */
function answering(...statuses: number[]): { handle: Parameters<typeof transportTo>[0]; count: () => number } {
  let count = 0;
  return {
    count: () => count,
    handle: (_, response) => {
      const status = statuses[count++] ?? 200;
      if (status === 0) response.destroy();
      else response.writeHead(status).end();
    },
  };
}

describe('a request', () => {
  test('is sent again after a temporary status and after a cut, and each wait is told', async () => {
    const { handle, count } = answering(503, 0, 429);
    const delays: number[] = [];
    const codes: unknown[] = [];
    const events: TransferEvent[] = [];
    const transport = await transportTo(handle, {
      backOff: { first: 10, longest: 15 },
      onRetry: (error, delay) => {
        delays.push(delay);
        codes.push(error instanceof Error && 'code' in error ? error.code : undefined);
      },
    });
    await transport.send(requestTo(transport, { call: { onEvent: (event) => events.push(event) } }));
    expect(count()).toBe(4);
    expect(codes).toEqual(['UNAVAILABLE', 'UNAVAILABLE', 'TOOMANYREQUESTS']);
    expect(delays[0]).toBeGreaterThanOrEqual(8);
    expect(delays[0]).toBeLessThanOrEqual(13);
    expect(delays[2]).toBeLessThanOrEqual(19);
    expect(events.map((event) => event.type === 'retried' && [event.repository, event.attempt])).toEqual([
      ['a', 1],
      ['a', 2],
      ['a', 3],
    ]);
  });

  test('is sent six times at most', async () => {
    const { handle, count } = answering(...Array.from({ length: 20 }, () => 500));
    const transport = await transportTo(handle);
    expect(await failureOf(transport.send(requestTo(transport)))).toMatchObject({ status: 500 });
    expect(count()).toBe(6);
  });

  test('is sent as often as the caller says', async () => {
    for (const [backOff, times] of [
      [{ attempts: 3, first: 1 }, 3],
      [{ attempts: 1 }, 1],
      [false, 1],
    ] as const) {
      const { handle, count } = answering(500, 500, 500, 500, 500);
      const transport = await transportTo(handle, { backOff });
      await failureOf(transport.send(requestTo(transport)));
      expect(count()).toBe(times);
    }
  });

  test.each([400, 401, 403, 404, 416, 501])('is not sent again after %i', async (status) => {
    const { handle, count } = answering(status);
    const transport = await transportTo(handle);
    expect(await failureOf(transport.send(requestTo(transport)))).toMatchObject({ status });
    expect(count()).toBe(1);
  });

  test('that must not be done twice is not sent again if its outcome is unknown', async () => {
    for (const [status, times] of [
      [0, 1],
      [500, 1],
      [429, 2],
    ] as const) {
      const { handle, count } = answering(status);
      const transport = await transportTo(handle);
      const sent = transport.send(requestTo(transport, { method: 'POST', repeatable: false }));
      if (times === 1) await failureOf(sent);
      else await sent;
      expect(count()).toBe(times);
    }
  });

  test('whose body cannot be opened again is not sent again', async () => {
    const { handle, count } = answering(503);
    const transport = await transportTo(handle);
    const body = { size: 1, reopenable: false, open: () => Uint8Array.of(1) };
    await failureOf(transport.send(requestTo(transport, { method: 'PUT', body })));
    expect(count()).toBe(1);
  });

  test('to a closed port fails with UNAVAILABLE, and the reason', async () => {
    const { handle, count } = answering();
    const transport = await transportTo(handle, { host: '127.0.0.1:1', backOff: false });
    const error = await failureOf(transport.send(requestTo(transport)));
    expect(error).toMatchObject({ code: 'UNAVAILABLE' });
    expect(String(error)).toContain('http://127.0.0.1:1/v2/');
    expect(count()).toBe(0);
  });

  test('is tried again while a server is not there yet', async () => {
    let calls = 0;
    const transport = await transportTo(() => undefined, {
      fetch: () => (++calls < 3 ? Promise.reject(new TypeError('fetch failed')) : Promise.resolve(new Response('ok'))),
    });
    expect((await transport.send(requestTo(transport))).status).toBe(200);
  });
});

describe('Retry-After', () => {
  const refusing = (
    retryAfter: string | (() => string),
  ): { handle: Parameters<typeof transportTo>[0]; count: () => number } => {
    let count = 0;
    return {
      count: () => count,
      handle: (_, response) => {
        const value = typeof retryAfter === 'string' ? retryAfter : retryAfter();
        if (count++ === 0) response.writeHead(429, { 'retry-after': value }).end();
        else response.end();
      },
    };
  };

  test('is waited for, in seconds and as a date', async () => {
    for (const inSeconds of [true, false]) {
      const { handle, count } = refusing(inSeconds ? '1' : () => new Date(Date.now() + 3000).toUTCString());
      const delays: number[] = [];
      const transport = await transportTo(handle, { onRetry: (_, delay) => delays.push(delay) });
      const began = performance.now();
      await transport.send(requestTo(transport));
      expect(count()).toBe(2);
      expect(delays[0]).toBeGreaterThan(inSeconds ? 999 : 500);
      expect(performance.now() - began).toBeGreaterThan((delays[0] ?? 0) - 20);
    }
  });

  test('beyond the longest wait fails the call', async () => {
    const { handle, count } = refusing('61');
    const transport = await transportTo(handle);
    expect(await failureOf(transport.send(requestTo(transport)))).toMatchObject({ status: 429, retryAfter: 61 });
    expect(count()).toBe(1);
  });

  test('beyond the deadline of the signal fails the call at once', async () => {
    const { handle, count } = refusing('50');
    const transport = await transportTo(handle);
    const error = await failureOf(transport.send(requestTo(transport, { call: { signal: signalAfter(40_000) } })));
    expect(error).toMatchObject({ status: 429, retryAfter: 50 });
    expect(count()).toBe(1);
  });

  test('is not waited for any longer when the signal is aborted', async () => {
    const { handle } = refusing('50');
    const transport = await transportTo(handle);
    const signal = AbortSignal.timeout(30);
    expect(await failureOf(transport.send(requestTo(transport, { call: { signal } })))).toBe(signal.reason);
  });
});

describe('an action of several requests', () => {
  test('is run again when one of its bodies was cut, with the number of its attempt', async () => {
    let count = 0;
    const transport = await transportTo((_, response) => {
      response.writeHead(200, { 'content-length': '10' });
      if (++count < 3) response.write('12345', () => response.destroy());
      else response.end('1234567890');
    });
    const attempts: number[] = [];
    const bytes = await transport.attempt({}, async (attempt) => {
      attempts.push(attempt);
      return (await transport.send(requestTo(transport))).bytes(10);
    });
    expect(bytes).toHaveLength(10);
    expect(attempts).toEqual([1, 2, 3]);
  });

  test('counts its attempts anew when it has moved on', async () => {
    let count = 0;
    const transport = await transportTo(
      (_, response) => {
        if (++count < 10) response.destroy();
        else response.end();
      },
      { backOff: { attempts: 2, first: 1 } },
    );
    const attempts: number[] = [];
    await transport.attempt({}, async (attempt, progress) => {
      attempts.push(attempt);
      progress();
      await transport.send(requestTo(transport, { method: 'POST', repeatable: false }));
    });
    expect(attempts).toEqual([1, 2, 2, 2, 2, 2, 2, 2, 2, 2]);
  });

  test('is not run again for a request that was sent as often as it may', async () => {
    const { handle, count } = answering(...Array.from({ length: 50 }, () => 503));
    const transport = await transportTo(handle);
    expect(await failureOf(transport.attempt({}, () => transport.send(requestTo(transport))))).toMatchObject({
      status: 503,
    });
    expect(count()).toBe(6);
  });

  test('is not run again for any other error', async () => {
    const transport = await transportTo((_, response) => response.end('{'));
    let runs = 0;
    const wrong = new Error('mine');
    const mine = transport.attempt({}, () => {
      runs++;
      return Promise.reject(wrong);
    });
    expect(await failureOf(mine)).toBe(wrong);
    await failureOf(
      transport.attempt({}, async () => {
        runs++;
        return (await transport.send(requestTo(transport))).json(10);
      }),
    );
    await failureOf(
      transport.attempt({}, async () => {
        runs++;
        throw transport.wrongResponse(await transport.send(requestTo(transport)), 'is wrong');
      }),
    );
    expect(runs).toBe(3);
  });
});

describe('a function as backOff', () => {
  test('decides how long to wait after each failure, and when to stop', async () => {
    const seen: unknown[] = [];
    let requests = 0;
    const transport = await transportTo(
      (_, response) => {
        requests++;
        response.writeHead(503, requests === 2 ? { 'retry-after': '7' } : {}).end();
      },
      {
        backOff: ({ error, attempt, elapsed, retryAfter }) => {
          seen.push([(error as { status?: number }).status, attempt, elapsed >= 0, retryAfter]);
          return attempt < 3 ? 1 : undefined;
        },
      },
    );
    await expect(transport.send(requestTo(transport))).rejects.toMatchObject({ status: 503 });
    expect(requests).toBe(3);
    expect(seen).toEqual([
      [503, 1, true, undefined],
      [503, 2, true, 7000],
      [503, 3, true, undefined],
    ]);
  });

  test('is not asked about a failure that stays', async () => {
    const transport = await transportTo((_, response) => response.writeHead(404).end(), {
      backOff: () => expect.unreachable(),
    });
    await expect(transport.send(requestTo(transport))).rejects.toMatchObject({ status: 404 });
  });

  test.each([-1, Number.NaN, '1', null])('that gives %s fails the call, and names the rule', async (delay) => {
    const transport = await transportTo((_, response) => response.writeHead(503).end(), {
      backOff: () => delay as number,
    });
    await expect(transport.send(requestTo(transport))).rejects.toThrow(
      'backOff has to return milliseconds, or undefined',
    );
  });

  test('that throws fails the call with its error', async () => {
    const transport = await transportTo((_, response) => response.writeHead(503).end(), {
      backOff: () => {
        throw new Error('no policy for this');
      },
    });
    await expect(transport.send(requestTo(transport))).rejects.toThrow('no policy for this');
  });

  test('that waits for longer than a timer can does not try again at once', async () => {
    let requests = 0;
    const transport = await transportTo((_, response) => response.writeHead(++requests === 1 ? 503 : 200).end(), {
      backOff: () => 2 ** 40,
    });
    const call = { signal: AbortSignal.timeout(300) };
    await expect(transport.send({ ...requestTo(transport), call })).rejects.toThrow('timeout');
    expect(requests).toBe(1);
  });

  test('is not obeyed past a deadline', async () => {
    const transport = await transportTo((_, response) => response.writeHead(503).end(), { backOff: () => 60_000 });
    const call = { signal: signalAfter(30_000) };
    await expect(transport.send({ ...requestTo(transport), call })).rejects.toMatchObject({ status: 503 });
  });
});

test.each<[unknown, RegExp]>([
  [true, /backOff has to be numbers such as .*, a function .*, or false/],
  [null, /backOff has to be numbers/],
  [3, /backOff has to be numbers/],
  ['no', /backOff has to be numbers/],
  [[100, 200], /backOff has to be numbers/],
  [{ attempts: '3' }, /backOff\.attempts has to be a number of at least 1/],
  [{ attempts: 0 }, /backOff\.attempts has to be a number of at least 1/],
  [{ first: -1 }, /backOff\.first has to be a number of at least 0/],
  [{ longest: Number.NaN }, /backOff\.longest has to be a number/],
  [{ longestRetryAfter: null }, /backOff\.longestRetryAfter has to be a number/],
])('%j as backOff is refused before any request', (backOff, message) => {
  expect(() => createClient({ host: 'example.com', backOff: backOff as BackOff })).toThrow(message);
});

test('onRetry that is no function is refused before any request', () => {
  expect(() => createClient({ host: 'example.com', onRetry: 'log' as never })).toThrow('onRetry is not a function');
});

test('all numbers of backOff may be left out or infinite', () => {
  const longest = Number.POSITIVE_INFINITY;
  createClient({ host: 'example.com', backOff: { attempts: longest, first: 0, longest, longestRetryAfter: longest } });
  createClient({ host: 'example.com', backOff: {} });
});
