// Twelve clients push beside garbage collection, kills and another tool's writes. STRESS_MINUTES=20 makes it long.
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

import { expect, test } from 'vitest';

import { digestOf, hexOf, manifestOf, newBlob, newConfig } from './content.ts';
import { faultsOfLayouts } from './layout-check.ts';
import { randomOf } from './random.ts';
import { request } from './requests.ts';
import { missingCommand, requireOf } from './requirement.ts';
import { useScratch } from './scratch.ts';
import { useServers } from './server.ts';
import type { Server } from './server.ts';
import { Acknowledged, Gate, pushUntilOver } from './stress.ts';

const scratch = useScratch();
const servers = useServers();
const run = promisify(execFile);

/** Minutes of pushing, both layouts together. */
const minutes = Number(process.env['STRESS_MINUTES'] ?? 0.4);
const isLong = minutes >= 2;
const second = 1000;
const pushing = (minutes * 60 * second) / 2;
const clients = 12;
const repositories = isLong ? 400 : 40;
const interval = (isLong ? 20 : 2) * second;
const gracePeriod = (isLong ? 10 : 2) * second;
/** Milliseconds between two kills: from half of it up to one and a half. */
const betweenKills = isLong ? 40 * second : 6 * second;
const mebibyte = 1024 * 1024;

/** Milliseconds within which a server beside a busy machine must serve what another tool wrote. */
const toBeSeen = 20 * second;

for (const layout of ['per-repository', 'shared'] as const) {
  test(
    `nothing is lost beside garbage collection, kills and another tool, layout ${layout}`,
    { timeout: pushing + 20 * 60 * second },
    async (context) => {
      for (const tool of ['skopeo', 'umoci']) requireOf(context, missingCommand(tool, '--version'));
      const root = await scratch.newDirectory();
      const seed = Number(process.env['STRESS_SEED'] ?? Date.now() % 1_000_000);
      const random = randomOf(seed);
      const acknowledged = new Acknowledged();
      const gate = new Gate();
      const collecting = ['--gc', `${interval / second}s`, '--gc-grace', `${gracePeriod / second}s`];
      const flags = ['--quiet', '--layout', layout, ...collecting];
      const samples = new Samples(root);
      const lost: string[] = [];
      const logs: string[] = [];
      const start = async (): Promise<Server> => {
        const server = await servers.start(root, { flags, within: 120_000 });
        samples.pid = server.pid;
        return server;
      };
      let server = await start();
      gate.open(server.url);
      const working = Array.from({ length: clients }, (_, i) =>
        pushUntilOver(gate, i, { repositories, gracePeriod, acknowledged, random: randomOf(seed + i) }),
      );
      // A client that fails ends the test at the next kill.
      const failures: unknown[] = [];
      const isFine = (): boolean => failures.length === 0;
      for (const one of working) one.catch((error: unknown) => failures.push(error));
      const tool = new OtherTool(root, layout, await scratch.newDirectory());
      const writing = tool.writeUntilOver(gate);
      writing.catch((error: unknown) => failures.push(error));
      const sampling = samples.take();

      const end = performance.now() + pushing;
      let kills = 0;
      let busy = 0;
      while (performance.now() < end && isFine()) {
        const began = performance.now();
        await delay(Math.min(betweenKills / 2 + random(betweenKills), Math.max(end - began, 0)));
        busy += performance.now() - began;
        gate.close();
        await server.kill();
        kills++;
        while (gate.waiting < clients + 1 && isFine()) await delay(20);
        logs.push(server.log());
        server = await start();
        lost.push(...(await acknowledged.lostIn(server.url)), ...(await tool.lostIn(server.url)));
        if (performance.now() < end && isFine()) gate.open(server.url);
      }
      gate.end();
      await Promise.allSettled([...working, writing]);
      expect(failures).toEqual([]);

      const live = acknowledged.liveBytes() + tool.bytes;
      // Garbage may stay for two intervals after its grace period, which begins again at each kill.
      const longest = gracePeriod + 2 * interval + betweenKills * 1.5;
      const bound = inMiB(live + (acknowledged.bytes / busy) * longest);
      const atEnd = await usageOf(root);
      const ended = performance.now();
      // All content counts as used at the start of the server.
      const latest = ended + gracePeriod + 2 * interval + 60 * second;
      let left = atEnd;
      while (left.bytes > live * 1.02 + mebibyte && performance.now() < latest) {
        await delay(second / 2);
        left = await usageOf(root);
      }
      const cleared = performance.now() - ended;
      lost.push(...(await acknowledged.lostIn(server.url)), ...(await tool.lostIn(server.url)));
      logs.push(server.log());
      samples.stop();
      await sampling;
      const code = await server.stop();
      const collections = logs
        .join('')
        .split('\n')
        .filter((line) => line.includes('garbage collected'));
      const report = {
        layout,
        seed,
        seconds: Math.round(busy / second),
        kills,
        imagesPerSecond: round((acknowledged.counts.get('images') ?? 0) / (busy / second)),
        pushedMiB: inMiB(acknowledged.bytes),
        answers: Object.fromEntries(acknowledged.counts),
        otherTool: tool.counts,
        rssMiB: samples.rss(),
        diskMiB: { ...samples.disk(), bound, live: inMiB(live), atEnd: inMiB(atEnd.bytes), left: inMiB(left.bytes) },
        secondsUntilGarbageGone: round(cleared / second),
        collections: collections.length,
        lastCollections: collections.slice(-3),
        lost,
      };
      await tell(report);
      expect.soft(lost).toEqual([]);
      expect.soft(code).toBe(0);
      expect.soft(await faultsOfLayouts(root)).toEqual([]);
      expect.soft(acknowledged.counts.get('images') ?? 0).toBeGreaterThan(10);
      expect.soft(collections.length).toBeGreaterThan(0);
      // However long it runs.
      expect.soft(samples.disk().most).toBeLessThanOrEqual(bound);
      // No garbage stays; files of 4 KiB blocks and journals are not counted.
      expect.soft(left.bytes).toBeLessThanOrEqual(live * 1.02 + mebibyte);
      expect.soft(samples.rss().most).toBeLessThan(300);
    },
  );
}

/** Memory of the server and bytes of all blobs, over time. */
class Samples {
  readonly #root: string;
  readonly #rss: number[] = [];
  readonly #disk: number[] = [];
  #isOver = false;
  pid = 0;

  constructor(root: string) {
    this.#root = root;
  }

  stop(): void {
    this.#isOver = true;
  }

  async take(): Promise<void> {
    for (let i = 0; !this.#isOver; i++) {
      const status = await readFile(`/proc/${this.pid}/status`, 'utf8').catch(() => '');
      const rss = /^VmRSS:\s+(\d+)/m.exec(status)?.[1];
      if (rss !== undefined) this.#rss.push(Number(rss) / 1024);
      if (i % 10 === 0) this.#disk.push((await usageOf(this.#root)).bytes);
      await delay(second / 2);
    }
  }

  /** In MiB: the most, and the means of ten parts of the time. */
  rss(): { most: number; means: number[] } {
    return { most: Math.round(Math.max(0, ...this.#rss)), means: tenths(this.#rss).map((mean) => Math.round(mean)) };
  }

  disk(): { most: number; means: number[] } {
    return { most: inMiB(Math.max(0, ...this.#disk)), means: tenths(this.#disk).map((mean) => inMiB(mean)) };
  }
}

function tenths(values: readonly number[]): number[] {
  const size = Math.max(Math.ceil(values.length / 10), 1);
  const parts = Array.from({ length: Math.ceil(values.length / size) }, (_, i) =>
    values.slice(i * size, (i + 1) * size),
  );
  return parts.map((part) => part.reduce((sum, value) => sum + value, 0) / part.length);
}

/** Writes images with skopeo and tags with umoci, one after the other. */
class OtherTool {
  readonly #root: string;
  readonly #layout: 'per-repository' | 'shared';
  readonly #source: string;
  /** Tags that the server has served, by `repository:tag`, with the digest. */
  readonly #seen = new Map<string, string>();
  readonly counts = { written: 0, failed: 0, seen: 0, gone: 0 };
  /** Bytes of the images. */
  bytes = 0;

  constructor(root: string, layout: 'per-repository' | 'shared', source: string) {
    this.#root = root;
    this.#layout = layout;
    this.#source = source;
  }

  async writeUntilOver(gate: Gate): Promise<void> {
    for (let number = 1; ; number++) {
      const url = await gate.pass();
      if (url === undefined) return;
      // Two repositories of the clients, and new ones.
      const repository = number % 3 === 0 ? `tool/${number % 50}` : `team-${number % 2}/app-0`;
      const tag = `tool-${number}`;
      const size = await this.#makeSource();
      try {
        const to =
          this.#layout === 'shared' ? `${this.#root}:${repository}:${tag}` : `${this.#root}/${repository}:${tag}`;
        if (this.#layout === 'per-repository') await mkdir(join(this.#root, repository), { recursive: true });
        await run('skopeo', ['copy', '-q', '--insecure-policy', `oci:${this.#source}:v1`, `oci:${to}`]);
        this.counts.written++;
        if (await this.#isSeen(gate, url, repository, tag)) this.bytes += size;
        if (this.#layout === 'per-repository') {
          await run('umoci', ['tag', '--image', to, `umoci-${number}`]);
          await this.#isSeen(gate, url, repository, `umoci-${number}`);
        }
      } catch (error) {
        if (error instanceof NotSeen) throw error;
        // The tools read and write an index at the same time as the server, and may find half of a change.
        this.counts.failed++;
      }
      await delay(second);
    }
  }

  /** True if the server serves a tag soon. False if it is killed before. */
  async #isSeen(gate: Gate, url: string, repository: string, tag: string): Promise<boolean> {
    const end = performance.now() + toBeSeen;
    while (gate.url === url) {
      const digest = await digestAt(url, repository, tag).catch(() => undefined);
      if (digest !== undefined) {
        this.#seen.set(`${repository}:${tag}`, digest);
        this.counts.seen++;
        return true;
      }
      if (performance.now() > end) throw new NotSeen(`${repository}:${tag} was not served in ${toBeSeen / second} s`);
      await delay(100);
    }
    this.counts.gone++;
    return false;
  }

  /** The tags that a server served before and does not serve any more. */
  async lostIn(url: string): Promise<string[]> {
    const lost: string[] = [];
    for (const [name, digest] of this.#seen) {
      const [repository = '', tag = ''] = name.split(':');
      const found = await digestAt(url, repository, tag);
      if (found !== digest) lost.push(`${name} of the other tool: ${found ?? 'missing'}`);
    }
    return lost;
  }

  /** Makes a layout with a new image. Returns its bytes. */
  async #makeSource(): Promise<number> {
    const parts = [newConfig(), newBlob(20_000)] as const;
    const manifest = manifestOf(parts[0], [parts[1]]);
    const blobs = join(this.#source, 'blobs', 'sha256');
    await mkdir(blobs, { recursive: true });
    const all = [...parts, manifest];
    for (const { digest, bytes } of all) await writeFile(join(blobs, hexOf(digest)), bytes);
    const { mediaType, digest, bytes } = manifest;
    const annotations = { 'org.opencontainers.image.ref.name': 'v1' };
    const manifests = [{ mediaType, digest, size: bytes.length, annotations }];
    await writeFile(join(this.#source, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    await writeFile(join(this.#source, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
    return all.reduce((sum, one) => sum + one.bytes.length, 0);
  }
}

class NotSeen extends Error {}

/** The digest of a tag; undefined if there is none. */
async function digestAt(url: string, repository: string, tag: string): Promise<string | undefined> {
  const { status, body } = await request('GET', `${url}/v2/${repository}/manifests/${tag}`);
  return status === 200 ? digestOf(body) : undefined;
}

/** Bytes and number of all blobs below a root. */
async function usageOf(root: string): Promise<{ bytes: number; files: number }> {
  let [bytes, files] = [0, 0];
  const walk = async (dir: string): Promise<void> => {
    for (const entry of await readdir(dir, { withFileTypes: true }).catch(() => [])) {
      const path = join(dir, entry.name);
      if (entry.isDirectory()) await walk(path);
      else if (dir.endsWith('/blobs/sha256')) {
        bytes += (await stat(path).catch(() => undefined))?.size ?? 0;
        files++;
      }
    }
  };
  await walk(root);
  return { bytes, files };
}

function inMiB(bytes: number): number {
  return round(bytes / mebibyte);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Long runs are read by people. */
async function tell(report: unknown): Promise<void> {
  const file = process.env['STRESS_REPORT'];
  if (file !== undefined) await writeFile(file, `${JSON.stringify(report, undefined, 2)}\n`, { flag: 'a' });
}
