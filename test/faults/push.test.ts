import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash, randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { afterEach, expect, test } from 'vitest';

import { cuttingProxy } from '../../packages/ocikit/test/cutting-proxy.ts';
import type { CuttingProxy } from '../../packages/ocikit/test/cutting-proxy.ts';

import { useScratch } from './scratch.ts';
import { useServers } from './server.ts';

const mebibyte = 1024 * 1024;
const size = 1024 * mebibyte;
const script = fileURLToPath(new URL('push-process.js', import.meta.url));

const scratch = useScratch();
const servers = useServers();
const running = new Set<ChildProcess>();
const proxies: CuttingProxy[] = [];

afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
  for (const proxy of proxies.splice(0)) proxy.close();
});

/** A unique file, and its digest. */
async function newFile(): Promise<{ file: string; digest: string }> {
  const file = join(await scratch.newDirectory(), 'blob');
  const hash = createHash('sha256');
  const piece = randomFillSync(new Uint8Array(4 * mebibyte));
  const handle = await open(file, 'wx');
  try {
    for (let at = 0; at < size; at += piece.length) {
      new DataView(piece.buffer).setUint32(0, at / piece.length);
      hash.update(piece);
      await handle.write(piece);
    }
  } finally {
    await handle.close();
  }
  return { file, digest: `sha256:${hash.digest('hex')}` };
}

interface Pushed {
  resumed: number;
  /** Highest memory use of the process in bytes. */
  maxRss: number;
}

interface Pushing {
  done: Promise<Pushed>;
  /** Kills the process with SIGKILL. */
  kill(): Promise<void>;
}

function push(...args: readonly string[]): Pushing {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const closed = once(child, 'close').finally(() => running.delete(child));
  const done = closed.then(([code]) => {
    if (code !== 0) throw new Error(`the push ended with ${String(code)}:\n${stderr}`);
    return JSON.parse(stdout) as Pushed;
  });
  return {
    done,
    async kill() {
      const failed = expect(done).rejects.toThrow('the push ended');
      child.kill('SIGKILL');
      await failed;
    },
  };
}

/** A server, and a proxy before it that cuts connections. */
async function serveBehind(cuts: readonly number[] = []): Promise<{ proxy: CuttingProxy; url: string }> {
  const { url } = await servers.start(await scratch.newDirectory(), { flags: ['--quiet', '--durability', 'none'] });
  const proxy = await cuttingProxy(Number(new URL(url).port), cuts, 'reset');
  proxies.push(proxy);
  return { proxy, url };
}

async function expectStored(url: string, digest: string): Promise<void> {
  const response = await fetch(`${url}/v2/team/app/blobs/${digest}`);
  const hash = createHash('sha256');
  let count = 0;
  for await (const piece of response.body ?? []) {
    hash.update(piece);
    count += piece.length;
  }
  expect(count).toBe(size);
  expect(`sha256:${hash.digest('hex')}`).toBe(digest);
}

test('a push of 1 GiB that is cut ten times completes, and sends less than 1.1 GiB', { timeout: 600_000 }, async () => {
  const { proxy, url } = await serveBehind(Array.from({ length: 10 }, (_, i) => (i + 1) * 97 * mebibyte - 54_321));
  const { file, digest } = await newFile();
  const { resumed, maxRss } = await push(proxy.host, digest, `${size}`, file).done;
  await expectStored(url, digest);
  expect(proxy.cuts).toBe(10);
  expect(resumed).toBeGreaterThanOrEqual(10);
  expect(proxy.sent).toBeLessThan(1.1 * size);
  expect(maxRss).toBeLessThan(400 * mebibyte);
});

test('a push of a killed process is resumed by the next process', { timeout: 600_000 }, async () => {
  const { proxy, url } = await serveBehind();
  const { file, digest } = await newFile();
  const transfers = await scratch.newDirectory();
  const args = [proxy.host, digest, `${size}`, file, transfers];
  for (const share of [0.2, 0.5, 0.8]) {
    const pushing = push(...args);
    while (proxy.sent < share * size) await Promise.race([delay(2), pushing.done]);
    await pushing.kill();
    expect(await readdir(transfers)).not.toEqual([]);
  }
  const { resumed } = await push(...args).done;
  await expectStored(url, digest);
  expect(resumed).toBeGreaterThanOrEqual(1);
  expect(proxy.sent).toBeGreaterThan(size);
  expect(proxy.sent).toBeLessThan(1.1 * size);
  expect(await readdir(transfers)).toEqual([]);
});
