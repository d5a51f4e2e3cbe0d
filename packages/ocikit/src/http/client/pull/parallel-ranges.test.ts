import { afterEach, describe, expect, test, vi } from 'vitest';

import { hostBlob } from '../../../../test/blob-host.ts';
import type { BlobHost, HostedAnswer } from '../../../../test/blob-host.ts';
import type { Registry } from '../../../model/index.ts';
import { createMemoryRegistry } from '../../../stores/memory/index.ts';
import { randomBlob } from '../../../testing/index.ts';
import { createServer } from '../../server/index.ts';

import { createClient } from '../index.ts';
import type { ClientOptions } from '../index.ts';

const MiB = 1024 * 1024;
const parallel = { ranges: 4, threshold: 4 * MiB, memory: 8 * MiB };
const clientTo = ({ host }: BlobHost, options: Partial<ClientOptions> = {}): Registry =>
  createClient({ host, backOff: { first: 1 }, parallel, ...options });
const equal = (found: Uint8Array, expected: Uint8Array): boolean => Buffer.compare(found, expected) === 0;

afterEach(() => {
  vi.useRealTimers();
});

/** Stops the clock by which the client measures how fast content comes: then it comes as fast as can be. */
function stopClock(): void {
  vi.useFakeTimers({ toFake: ['performance'] });
}

describe('a large blob', () => {
  test('comes in ranges over several connections, in order and verified', async () => {
    const blob = randomBlob(30 * MiB + 123);
    let running = 0;
    let most = 0;
    const hosted = await hostBlob(blob, (answer) => {
      most = Math.max(most, ++running);
      setTimeout(() => running--, 50);
      return { ...answer, speed: 60 * MiB };
    });
    const content = await clientTo(hosted).getBlob('a', blob.descriptor.digest);
    expect(equal(await content.bytes(), blob.bytes)).toBe(true);
    expect(hosted.requests.length).toBeGreaterThan(10);
    expect(most).toBeGreaterThan(2);
    // Two connections may be in each other's way.
    const ranges = hosted.requests
      .slice(1)
      .map(({ range }) => range)
      .toSorted((a, b) => (a?.start ?? 0) - (b?.start ?? 0));
    // One after another, without gaps, up to the end.
    const starts = ranges.map((range) => range?.start);
    expect(starts.slice(1)).toEqual(ranges.slice(0, -1).map((range) => range?.end));
    expect(ranges.at(-1)?.end).toBe(blob.bytes.length);
  });

  test('is not fetched further ahead of its reader than there is memory for', async () => {
    const blob = randomBlob(40 * MiB);
    const hosted = await hostBlob(blob);
    const content = await clientTo(hosted).getBlob('a', blob.descriptor.digest);
    let read = 0;
    let ahead = 0;
    for await (const piece of content) {
      read += piece.length;
      if (read % (4 * MiB) < piece.length) await new Promise((resolve) => setTimeout(resolve, 50));
      ahead = Math.max(ahead, ...hosted.requests.slice(1).map(({ range }) => (range?.end ?? 0) - read));
    }
    expect(read).toBe(blob.bytes.length);
    expect(hosted.requests.length).toBeGreaterThan(10);
    // The bytes that are being read now are not ahead.
    expect(ahead).toBeLessThanOrEqual(parallel.memory + parallel.memory / parallel.ranges);
    expect(ahead).toBeGreaterThan(parallel.memory / 4);
  });

  test('comes in larger ranges when they come fast', async () => {
    const blob = randomBlob(64 * MiB);
    const hosted = await hostBlob(blob);
    const client = clientTo(hosted, { parallel: { ...parallel, memory: 64 * MiB } });
    stopClock();
    await (await client.getBlob('a', blob.descriptor.digest)).bytes();
    const sizes = hosted.requests.slice(1).map(({ range }) => (range === undefined ? 0 : range.end - range.start));
    expect(sizes[0]).toBe(4 * MiB);
    expect(Math.max(...sizes)).toBeGreaterThan(4 * MiB);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(16 * MiB);
  });

  test('comes over several connections if one is slow, by default', async () => {
    const blob = randomBlob(48 * MiB);
    const hosted = await hostBlob(blob, (answer) => ({ ...answer, speed: 16 * MiB }));
    const content = await clientTo(hosted, { parallel: undefined }).getBlob('a', blob.descriptor.digest);
    expect(equal(await content.bytes(), blob.bytes)).toBe(true);
    expect(hosted.requests.length).toBeGreaterThan(2);
    expect(hosted.sent).toBeLessThan(1.1 * blob.bytes.length);
  });

  test('comes over one connection if that is fast, however slow its reader is', async () => {
    const { descriptor, bytes } = randomBlob(40 * MiB);
    const registry = createMemoryRegistry();
    await registry.pushBlob('a', descriptor, bytes);
    let requests = 0;
    const server = createServer(registry);
    const fetch = async (url: string, init: RequestInit): Promise<Response> => {
      requests++;
      return server.fetch(new Request(url, init));
    };
    const content = await createClient({ host: 'registry.test', fetch }).getBlob('a', descriptor.digest);
    let read = 0;
    stopClock();
    for await (const piece of content) {
      read += piece.length;
      if (read % (8 * MiB) < piece.length) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        vi.advanceTimersByTime(500);
      }
    }
    expect(read).toBe(bytes.length);
    expect(requests).toBe(1);
  });

  test.each<[string, Partial<ClientOptions>]>([
    ['if ranges are switched off', { parallel: false }],
    ['if it is not large', { parallel: { ...parallel, threshold: 7 * MiB } }],
    ['if there may be only one', { parallel: { ...parallel, ranges: 1 } }],
  ])('is fetched in one piece %s', async (_why, options) => {
    const blob = randomBlob(6 * MiB);
    const hosted = await hostBlob(blob);
    const content = await clientTo(hosted, options).getBlob('a', blob.descriptor.digest);
    expect(equal(await content.bytes(), blob.bytes)).toBe(true);
    expect(hosted.requests).toHaveLength(1);
  });

  const refused = (status: number): HostedAnswer => ({
    status,
    headers: { 'content-length': '0' },
    body: new Uint8Array(),
  });

  test('comes over one connection if the registry refuses others', async () => {
    const blob = randomBlob(20 * MiB);
    let refusals = 0;
    const hosted = await hostBlob(blob, (answer, { range }) =>
      range !== undefined && refusals++ < 3 ? refused(403) : { ...answer, speed: 200 * MiB },
    );
    const content = await clientTo(hosted).getBlob('a', blob.descriptor.digest);
    expect(equal(await content.bytes(), blob.bytes)).toBe(true);
  });

  test('comes over one connection if the registry ignores ranges', async () => {
    const blob = randomBlob(20 * MiB);
    const hosted = await hostBlob(blob, (answer) => ({
      ...answer,
      status: 200,
      headers: { 'content-length': `${blob.bytes.length}` },
      body: blob.bytes,
      speed: 200 * MiB,
    }));
    const content = await clientTo(hosted).getBlob('a', blob.descriptor.digest);
    expect(equal(await content.bytes(), blob.bytes)).toBe(true);
    expect(hosted.requests.length).toBeLessThan(6);

    const plain = await hostBlob(blob, (answer) => ({
      ...answer,
      headers: { ...answer.headers, 'accept-ranges': 'none' },
    }));
    await (await clientTo(plain).getBlob('a', blob.descriptor.digest)).bytes();
    expect(plain.requests).toHaveLength(1);
  });

  test('that cannot be fetched in the end fails as it would over one connection', async () => {
    const blob = randomBlob(20 * MiB);
    const hosted = await hostBlob(blob, (answer, { range }) => (range === undefined ? answer : refused(403)));
    const content = await clientTo(hosted).getBlob('a', blob.descriptor.digest);
    await expect(content.bytes()).rejects.toMatchObject({ code: 'DENIED' });
  });

  test('with a wrong range is detected, and not tried again', async () => {
    const blob = randomBlob(20 * MiB);
    const hosted = await hostBlob(blob, (answer, { number }) =>
      number === 3 ? { ...answer, body: new Uint8Array(answer.body.length) } : answer,
    );
    const content = await clientTo(hosted).getBlob('a', blob.descriptor.digest);
    await expect(content.bytes()).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
    const starts = hosted.requests.map(({ range }) => range?.start);
    expect(new Set(starts).size).toBe(starts.length);
  });

  test('can be left, and its connections end', async () => {
    const blob = randomBlob(20 * MiB);
    const hosted = await hostBlob(blob, (answer) => ({ ...answer, speed: 20 * MiB }));
    const reason = new Error('no longer wanted');
    for (const how of ['break', 'abort', 'cancel'] as const) {
      const controller = new AbortController();
      const content = await clientTo(hosted).getBlob('a', blob.descriptor.digest, { signal: controller.signal });
      const reading = async (): Promise<void> => {
        for await (const piece of content) {
          if (piece.length > 0 && how === 'break') break;
          if (how === 'abort') controller.abort(reason);
          if (how === 'cancel') await content.cancel();
        }
      };
      if (how === 'abort') await expect(reading()).rejects.toBe(reason);
      else if (how === 'cancel') await expect(reading()).rejects.toThrow();
      else await reading();
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { sent } = hosted;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(hosted.sent).toBe(sent);
    expect(sent).toBeLessThan(2 * blob.bytes.length);
  });
});
