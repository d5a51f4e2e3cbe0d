import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { afterEach, expect, test } from 'vitest';

import { LargeContent, serveContent } from './large-content.ts';
import type { ContentServer } from './large-content.ts';
import { randomOf } from './random.ts';
import { useScratch } from './scratch.ts';

const puller = fileURLToPath(new URL('puller.js', import.meta.url));
const MiB = 1024 * 1024;
/** The seed: `OCIKIT_FAULT_SEED` repeats a failed run. */
const seed = Number(process.env['OCIKIT_FAULT_SEED'] ?? Date.now() % 1_000_000);

const scratch = useScratch();
const running: ChildProcess[] = [];
const servers: ContentServer[] = [];

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
  for (const server of servers.splice(0)) server.close();
});

interface Pull {
  readonly child: ChildProcess;
  /** The output of the process at its end; undefined if it was killed. */
  readonly result: Promise<{ size: number; kilobytes: number } | undefined>;
}

function pull(server: ContentServer, content: LargeContent, ...directory: string[]): Pull {
  const args = [puller, server.host, content.digest, ...directory];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  running.push(child);
  let [out, errors] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const result = once(child, 'close').then(([code, signal]) => {
    if (signal === 'SIGKILL') return undefined;
    if (code !== 0) throw new Error(`the pull failed:\n${errors}`);
    return JSON.parse(out) as { size: number; kilobytes: number };
  });
  return { child, result };
}

test(
  '1 GiB whose connection is cut ten times arrives whole, fetched less than 1.1 times, in little memory',
  { timeout: 600_000 },
  async () => {
    const content = new LargeContent(1024 * MiB);
    const server = await serveContent(content, (answer) => (answer <= 10 ? Math.floor(content.size / 11) : undefined));
    servers.push(server);
    const result = await pull(server, content).result;
    expect(result?.size).toBe(content.size);
    expect(server.sent.starts).toHaveLength(11);
    expect(server.sent.bytes).toBeLessThan(1.1 * content.size);
    expect(result?.kilobytes).toBeLessThan(250 * 1024);
  },
);

test(
  `a process that is killed at any byte is gone on with by the next one (seed ${seed})`,
  { timeout: 600_000 },
  async () => {
    const random = randomOf(seed);
    const content = new LargeContent(256 * MiB);
    const directory = await scratch.newDirectory();
    let killAt = Number.POSITIVE_INFINITY;
    let child: ChildProcess | undefined;
    const server = await serveContent(content, undefined, ({ bytes }) => {
      if (bytes >= killAt) child?.kill('SIGKILL');
    });
    servers.push(server);
    for (let kill = 1; kill <= 8; kill++) {
      killAt = server.sent.bytes + 1 + random(content.size / 10);
      const attempt = pull(server, content, directory);
      ({ child } = attempt);
      expect(await attempt.result).toBeUndefined();
    }
    killAt = Number.POSITIVE_INFINITY;
    const { result } = pull(server, content, directory);
    expect((await result)?.size).toBe(content.size);

    const { starts, bytes } = server.sent;
    expect(starts).toHaveLength(9);
    expect(starts.toSorted((a, b) => a - b)).toEqual(starts);
    expect(starts.at(-1)).toBeGreaterThan(content.size / 8);
    // A kill loses only the bytes on their way.
    expect(bytes).toBeLessThan(1.3 * content.size);
    expect(await readdir(directory)).toEqual([]);
  },
);
