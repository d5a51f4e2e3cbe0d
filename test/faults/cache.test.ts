import { createHash, randomBytes } from 'node:crypto';
import { open, readFile, rm, truncate } from 'node:fs/promises';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import {
  corruptAnswers,
  createTestServer,
  cutAnswers,
  imageOf,
  refuseRequests,
  resizeAnswers,
  slowAnswers,
} from 'ocikit/testing';
import type { TestServer } from 'ocikit/testing';
import { afterEach, describe, expect, test } from 'vitest';

import { faultsOfLayouts } from './layout-check.ts';
import { useScratch } from './scratch.ts';
import { useServers } from './server.ts';
import type { Server } from './server.ts';

// `ocikit serve --proxy` in its own process, and an upstream that misbehaves.

const scratch = useScratch();
const servers = useServers();
const upstreams: TestServer[] = [];
afterEach(async () => {
  await Promise.all(upstreams.splice(0).map((upstream) => upstream.close()));
});

const mebibyte = 1024 * 1024;
const blob = randomBytes(24 * mebibyte);
const digest = digestOf(blob);

function digestOf(bytes: Uint8Array): `sha256:${string}` {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

async function start(root: string, ...flags: string[]): Promise<{ upstream: TestServer; cache: Server }> {
  const upstream = await createTestServer();
  upstreams.push(upstream);
  // The upstream has `app` in `library/`, as Docker Hub does.
  await upstream.registry.pushBlob('library/app', { digest, size: blob.length }, blob);
  return { upstream, cache: await restart(root, upstream, ...flags) };
}

function restart(root: string, upstream: TestServer, ...flags: string[]): Promise<Server> {
  return servers.start(root, { flags: ['--proxy', `docker.io=${upstream.url}`, '--quiet', ...flags] });
}

interface Answer {
  status: number;
  body: Buffer;
  /** True if the body has its announced length. */
  isWhole: boolean;
}

/** The status of an answer, and its body up to its end or failure. */
function get(url: string, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/v2/${path}`, { agent: false }, (response: IncomingMessage) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', () => undefined);
      response.on('close', () => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(pieces), isWhole: response.complete });
      });
    });
    sent.on('error', reject);
    sent.end();
  });
}

const path = `app/blobs/${digest}`;

describe('a cache that is killed while it fetches blobs', () => {
  test('has no wrong content afterwards, and fetches missing blobs', { timeout: 300_000 }, async () => {
    const root = await scratch.newDirectory();
    const { upstream, cache: first } = await start(root);
    const end = upstream.inject(slowAnswers({ resources: ['blob'], bytesPerSecond: 30 * mebibyte }));
    let cache = first;
    for (const moment of [150, 400, 600]) {
      const pulls = [get(cache.url, path), get(cache.url, path)].map((pull) => pull.catch(() => undefined));
      await delay(moment);
      await cache.kill();
      for (const answer of await Promise.all(pulls)) expect(answer?.isWhole ?? false).toBe(false);
      expect(await faultsOfLayouts(root)).toEqual([]);
      cache = await restart(root, upstream);
    }
    end();
    const { status, body, isWhole } = await get(cache.url, path);
    expect([status, isWhole, digestOf(body)]).toEqual([200, true, digest]);
    await cache.kill();
    cache = await restart(root, upstream);
    const before = upstream.requests.length;
    expect(digestOf((await get(cache.url, path)).body)).toBe(digest);
    expect(upstream.requests).toHaveLength(before);
    expect(await cache.stop()).toBe(0);
    expect(await faultsOfLayouts(root)).toEqual([]);
  });
});

describe('an upstream that', () => {
  test.each([
    ['sends other bytes', corruptAnswers({ resources: ['blob', 'manifest'], methods: ['GET'] })],
    ['sends too few', resizeAnswers({ by: -1, resources: ['blob', 'manifest'], methods: ['GET'] })],
    ['sends too many', resizeAnswers({ by: 1, resources: ['blob', 'manifest'], methods: ['GET'] })],
    ['cuts', cutAnswers({ resources: ['blob', 'manifest'] })],
    ['fails with 500', refuseRequests({ as: 500 })],
    ['is not available', refuseRequests()],
    ['wants to be left alone', refuseRequests({ as: 'TOOMANYREQUESTS', retryAfter: '600' })],
  ])('%s, causes an error at the client, and no wrong content is kept', { timeout: 300_000 }, async (what, fault) => {
    const root = await scratch.newDirectory();
    const { upstream, cache } = await start(root, '--tag-age', '0s');
    const image = imageOf();
    await upstream.addRef('library/app', 'kept', image);
    await upstream.addRef('library/app', 'new', imageOf());
    expect((await get(cache.url, 'app/manifests/kept')).status).toBe(200);
    const end = upstream.inject(fault);
    const large = await get(cache.url, path).catch(() => undefined);
    if (large !== undefined) {
      // The error comes at the start or in the middle.
      expect([200, 429, 503]).toContain(large.status);
      if (large.status === 200) expect(large.isWhole && digestOf(large.body) !== digest).toBe(false);
    }
    const unknown = await get(cache.url, 'app/manifests/new');
    expect(unknown.status, unknown.body.toString()).toBe(what === 'wants to be left alone' ? 429 : 503);
    // Kept content is still served.
    const kept = await get(cache.url, 'app/manifests/kept');
    expect([kept.status, kept.body.equals(image.bytes)]).toEqual([200, true]);
    expect(await faultsOfLayouts(root)).toEqual([]);
    end();
    if (what === 'wants to be left alone') return;
    await expect
      .poll(async () => digestOf((await get(cache.url, path).catch(() => ({ body: Buffer.alloc(0) }))).body), {
        interval: 300,
      })
      .toBe(digest);
    expect((await get(cache.url, 'app/manifests/new')).status).toBe(200);
    expect(await cache.stop()).toBe(0);
    expect(await faultsOfLayouts(root)).toEqual([]);
  });

  test('is gone leaves the kept content available, after a restart too', { timeout: 300_000 }, async () => {
    const root = await scratch.newDirectory();
    const { upstream, cache } = await start(root, '--tag-age', '0s');
    const image = imageOf();
    await upstream.addRef('library/app', 'v1', image);
    await get(cache.url, 'app/manifests/v1');
    expect(await cache.stop()).toBe(0);
    await upstream.close();
    const again = await restart(root, upstream);
    const answer = await get(again.url, 'app/manifests/v1');
    expect([answer.status, answer.body.equals(image.bytes)]).toEqual([200, true]);
    expect((await get(again.url, 'app/manifests/v2')).status).toBe(503);
    await again.logged('cache stale');
  });
});

describe('content that is damaged on disk', () => {
  test.each([
    ['has another byte', async (file: string) => overwrite(file, mebibyte)],
    ['is cut short', async (file: string) => truncate(file, mebibyte)],
    ['is gone', async (file: string) => rm(file)],
  ])('and %s is fetched again, and not served for long', { timeout: 300_000 }, async (what, damage) => {
    const root = await scratch.newDirectory();
    const { upstream, cache } = await start(root);
    const image = imageOf();
    await upstream.addRef('library/app', 'v1', image);
    expect(digestOf((await get(cache.url, path)).body)).toBe(digest);
    await get(cache.url, 'app/manifests/v1');
    expect(await cache.stop()).toBe(0);
    await damage(fileOf(root, digest));
    if (what === 'is gone') await rm(fileOf(root, image.descriptor.digest));
    else await overwrite(fileOf(root, image.descriptor.digest), 10);
    const again = await restart(root, upstream);
    const first = await get(again.url, path).catch(() => undefined);
    // A client that reads while the cache notices gets no wrong content as a success.
    if (first?.isWhole === true) expect(digestOf(first.body)).toBe(digest);
    await expect.poll(async () => digestOf((await get(again.url, path)).body)).toBe(digest);
    const manifest = await get(again.url, `app/manifests/${image.descriptor.digest}`);
    expect([manifest.status, manifest.body.equals(image.bytes)]).toEqual([200, true]);
    expect(await again.stop()).toBe(0);
    expect(await faultsOfLayouts(root)).toEqual([]);
  });
});

function fileOf(root: string, of: string): string {
  return join(root, 'blobs', of.replace(':', '/'));
}

async function overwrite(file: string, at: number): Promise<void> {
  const handle = await open(file, 'r+');
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, at);
  await handle.write(
    buffer.map((byte) => byte ^ 0xff),
    0,
    1,
    at,
  );
  await handle.close();
}

describe('clients that read nothing', () => {
  test('cost no memory, and do not delay other clients', { timeout: 300_000 }, async () => {
    const root = await scratch.newDirectory();
    const { upstream, cache } = await start(root);
    const size = 200 * mebibyte;
    const piece = randomBytes(mebibyte);
    const hash = createHash('sha256');
    for (let at = 0; at < size; at += mebibyte) hash.update(piece);
    const large = `sha256:${hash.digest('hex')}` as const;
    await upstream.registry.pushBlob('library/large', { digest: large, size }, repeat(piece, size / mebibyte));
    await get(cache.url, '');
    const before = await memoryOf(cache.pid);
    const idle = Array.from({ length: 40 }, () => {
      const sent = request(`${cache.url}/v2/large/blobs/${large}`, { agent: false }, (response) => response.pause());
      sent.on('error', () => undefined).end();
      return sent;
    });
    const { body, isWhole } = await get(cache.url, `large/blobs/${large}`);
    expect([isWhole, digestOf(body)]).toEqual([true, large]);
    const grown = (await memoryOf(cache.pid)) - before;
    for (const sent of idle) sent.destroy();
    // A reader that held a sixteenth of the blob would cost 500 MiB. How much of it is in pieces at once depends on the
    // speeds of disk and client.
    expect(grown).toBeLessThan(250 * mebibyte);
    expect(upstream.requests.filter(({ path: asked }) => asked.includes(large))).toHaveLength(1);
  });
});

async function* repeat(piece: Uint8Array, count: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i++) yield piece;
}

/** Returns the highest memory use of a process in bytes. */
async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}
