import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, describe, expect, test } from 'vitest';

import { createClient } from '../../http/client/index.ts';
import { Digester } from '../../model/index.ts';
import { nodeFetch, serve } from '../../node/index.ts';
import { openLayout } from '../../stores/layout/index.ts';
import { createTestServer, slowAnswers } from '../../testing/node.ts';

import { cache } from './cache.ts';

const disposals: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const dispose of disposals.splice(0).toReversed()) await dispose();
});

const mebibyte = 1024 * 1024;

/** A client that compares an answer with a piece that it repeats, and remembers when it began. */
function pull(
  url: string,
  piece: Uint8Array,
): Promise<{ status: number; firstByte: number; size: number; isRight: boolean }> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent: false }, (response) => {
      let [firstByte, size, isRight] = [0, 0, true];
      response.on('data', (bytes: Buffer) => {
        firstByte ||= performance.now();
        for (let at = 0; at < bytes.length;) {
          const from = size % piece.length;
          const count = Math.min(bytes.length - at, piece.length - from);
          isRight &&= bytes.compare(piece, from, from + count, at, at + count) === 0;
          at += count;
          size += count;
        }
      });
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, firstByte, size, isRight });
      });
    });
    sent.on('error', reject);
    sent.end();
  });
}

describe('fifty clients that pull a blob of 200 MiB at once before it is kept', () => {
  test('cause one download, and all have bytes before the upstream has sent its last', async () => {
    const upstream = await createTestServer();
    disposals.push(() => upstream.close());
    const size = 200 * mebibyte;
    const piece = new Uint8Array(mebibyte).map((_, i) => i * 31);
    const digester = new Digester();
    for (let at = 0; at < size; at += piece.length) digester.update(piece);
    const digest = digester.digest();
    await upstream.registry.pushBlob('app', { digest, size }, pieces(piece, size / piece.length));
    // The upstream sends slowly, so that the time of its last byte can be seen.
    upstream.inject(slowAnswers({ resources: ['blob'], bytesPerSecond: 100 * mebibyte }));

    const dir = await mkdtemp(join(tmpdir(), 'ocikit-cache-'));
    disposals.push(() => rm(dir, { recursive: true }));
    const store = openLayout(dir, { sparse: true });
    disposals.push(() => store.close());
    let keptAt = 0;
    const client = createClient({ host: upstream.host, fetch: nodeFetch({ proxy: false }), parallel: false });
    const registry = cache(client, store, {
      onEvent: ({ type }) => {
        if (type === 'kept') keptAt = performance.now();
      },
    });
    disposals.push(() => registry.close());
    const serving = await serve(registry, { port: 0 });
    disposals.push(() => serving.close(0));

    const before = upstream.requests.length;
    const rss = watchMemory();
    const pulls = await Promise.all(
      Array.from({ length: 50 }, () => pull(`${serving.url}/v2/app/blobs/${digest}`, piece)),
    );
    const grown = rss();
    const asked = upstream.requests.slice(before).filter(({ path }) => path.includes('/blobs/'));
    expect(asked.map(({ method }) => method)).toEqual(['GET']);
    for (const { status, size: came, isRight, firstByte } of pulls) {
      expect([status, came, isRight]).toEqual([200, size, true]);
      expect(firstByte).toBeLessThan(keptAt);
    }
    // The fifty clients are in this process, too.
    expect(grown).toBeLessThan(400 * mebibyte);
  }, 120_000);
});

async function* pieces(piece: Uint8Array, count: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i++) yield piece;
}

/** Looks at the memory of the process; gives by how many bytes it has grown at most. */
function watchMemory(): () => number {
  const start = process.memoryUsage.rss();
  let most = start;
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss());
  }, 20);
  return () => {
    clearInterval(timer);
    return most - start;
  };
}
