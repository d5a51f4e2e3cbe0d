import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { collect, isRegistryError, maintenanceOf } from 'ocikit';
import type { Digest, Registry } from 'ocikit';
import { createClient } from 'ocikit/client';
import { openLayout, openLayouts } from 'ocikit/layout';
import type { LayoutRegistry } from 'ocikit/layout';
import { artifactOf, imageOf, indexOf, pushContent } from 'ocikit/testing';
import type { TestManifest } from 'ocikit/testing';
import { describe, expect, test } from 'vitest';

import { faultsOfLayouts } from './layout-check.ts';
import { randomOf } from './random.ts';
import { useScratch } from './scratch.ts';
import { useServers } from './server.ts';

const command = fileURLToPath(new URL('../../packages/cli/bin/ocikit.js', import.meta.url));
const seed = Number(process.env['OCIKIT_FAULT_SEED'] ?? Date.now() % 1_000_000);
const rounds = Number(process.env['OCIKIT_FAULT_ROUNDS'] ?? 2);

const scratch = useScratch();
const servers = useServers();

/** The acknowledged images, by `repository:tag`. */
type Acknowledged = Map<string, TestManifest>;

describe.each(['per-repository', 'shared'] as const)('with the layout %s', (layout) => {
  const open = (root: string): LayoutRegistry =>
    (layout === 'shared' ? openLayout : openLayouts)(root, { durability: 'none' });

  test(
    `1,000 pushes beside collections lose nothing that was acknowledged, and no garbage is left, through ${rounds} kills (seed ${seed})`,
    { timeout: 600_000 },
    async () => {
      const random = randomOf(seed);
      const root = await scratch.newDirectory();
      const acknowledged: Acknowledged = new Map();
      const flags = ['--layout', layout, '--gc', '20ms', '--gc-grace', '5ms', '--durability', 'none', '--quiet'];
      const perRound = Math.ceil(1000 / (rounds + 1));
      let collections = 0;
      for (let round = 0; round <= rounds; round++) {
        const server = await servers.start(root, { flags });
        const target = (round + 1) * perRound;
        const pushing = pushImages(server.url, acknowledged, { round, target });
        if (round < rounds) {
          // Kill the server a while after this number of pushes, amid further ones.
          while (acknowledged.size < target) await delay(5);
          await delay(random(100));
          await server.kill();
          await pushing.stop();
          // The next server may be killed too, while it collects the garbage of the crash.
          await servers.startAndKill(root, 50 + random(500), { flags });
        } else {
          while (acknowledged.size < target) await delay(5);
          await pushing.stop();
          expect(await server.stop()).toBe(0);
        }
        collections += server.log().split('garbage collected').length - 1;
        expect(server.log()).not.toContain('could not be collected');
        expect(await faultsOfLayouts(root)).toEqual([]);
        await using registry = open(root);
        expect(await lost(registry, acknowledged)).toEqual([]);
      }
      expect(acknowledged.size).toBeGreaterThanOrEqual(1000);
      expect(collections).toBeGreaterThan(rounds);

      // Unacknowledged images may exist.
      await removeTagsBut(open, root, acknowledged);
      expect((await gc(root, '--grace', '0')).code).toBe(0);
      await using registry = open(root);
      expect(await lost(registry, acknowledged)).toEqual([]);
      expect(await garbage(registry, acknowledged)).toEqual([]);
    },
  );

  test(
    `a collection that is killed leaves a whole layout, and the next one finishes (seed ${seed})`,
    { timeout: 600_000 },
    async () => {
      const random = randomOf(seed);
      const root = await scratch.newDirectory();
      const kept: Acknowledged = new Map();
      {
        await using registry = open(root);
        for (let i = 0; i < 40; i++) {
          const repository = `team-${i % 3}/app`;
          const index = indexOf([imageOf(), imageOf()]);
          await pushContent(registry, repository, index, { tags: [`v${i}`] });
          kept.set(`${repository}:v${i}`, index);
          for (let n = 0; n < 8; n++) {
            const gone = n % 2 === 0 ? imageOf() : indexOf([imageOf()]);
            await pushContent(registry, repository, gone);
            const subject = gone.descriptor;
            await pushContent(registry, repository, artifactOf({ artifactType: 'application/vnd.test', subject }));
          }
        }
      }
      let killed = 0;
      for (let round = 0; round < rounds * 2; round++) {
        const { signal } = await gc(root, { killAfter: 1 + random(60) }, '--grace', '0', '--json');
        killed += signal === 'SIGKILL' ? 1 : 0;
        expect(await faultsOfLayouts(root)).toEqual([]);
        await using registry = open(root);
        expect(await lost(registry, kept)).toEqual([]);
      }
      expect(killed).toBe(rounds * 2);
      const { code, stdout } = await gc(root, '--grace', '0', '--json');
      expect(code).toBe(0);
      const report = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as { manifests: { count: number } };
      expect(report).toMatchObject({ type: 'report', skipped: 0 });
      expect(report.manifests.count).toBeGreaterThan(0);
      await using registry = open(root);
      expect(await lost(registry, kept)).toEqual([]);
      expect(await garbage(registry, kept)).toEqual([]);
      expect(await faultsOfLayouts(root)).toEqual([]);
    },
  );

  test(
    'a collection after one that was killed goes on where that one was, before it returns to the first repositories',
    { timeout: 120_000 },
    async () => {
      const root = await scratch.newDirectory();
      const names = Array.from({ length: 100 }, (_, i) => `team/${String(i).padStart(3, '0')}`);
      const [first = ''] = names;
      const kept: Acknowledged = new Map();
      {
        await using registry = open(root);
        for (const name of names) {
          const image = imageOf();
          await pushContent(registry, name, image, { tags: ['v1'] });
          kept.set(`${name}:v1`, image);
          await pushContent(registry, name, imageOf());
        }
      }
      expect((await gc(root, { killAfter: 100 }, '--grace', '0', '--json')).signal).toBe('SIGKILL');
      expect(await faultsOfLayouts(root)).toEqual([]);
      const [, place = ''] = /^after (.+)$/.exec(await readFile(join(root, '.ocikit/collection'), 'utf8')) ?? [];
      expect(names).toContain(place);
      {
        await using registry = open(root);
        expect(await lost(registry, kept)).toEqual([]);
        await pushContent(registry, first, imageOf());
      }
      const { code, stdout } = await gc(root, '--grace', '0', '--json');
      expect(code).toBe(0);
      const events = stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as { repository?: string });
      const order = events.flatMap(({ repository }) => repository ?? []);
      expect(order.at(0)).not.toBe(first);
      expect(order).toContain(first);
      await expect(readFile(join(root, '.ocikit/collection'))).rejects.toThrow('ENOENT');
      await using registry = open(root);
      expect(await lost(registry, kept)).toEqual([]);
      expect(await garbage(registry, kept)).toEqual([]);
      expect(await faultsOfLayouts(root)).toEqual([]);
    },
  );
});

/** Eight clients that each push their own images, until they are stopped or the server dies. */
function pushImages(
  url: string,
  acknowledged: Acknowledged,
  { round, target }: { round: number; target: number },
): { stop(): Promise<void> } {
  const registry = createClient({ host: new URL(url).host, backOff: false });
  const end = new AbortController();
  const one = async (number: number): Promise<void> => {
    for (let i = 0; !end.signal.aborted && acknowledged.size < target + 200; i++) {
      const repository = `team-${number % 3}/app`;
      const tag = `v${round}-${number}-${i}`;
      const image = i % 3 === 0 ? indexOf([imageOf(), imageOf()]) : imageOf();
      try {
        await pushContent(registry, repository, image, { tags: [tag] });
        acknowledged.set(`${repository}:${tag}`, image);
        // Leave some garbage to collect.
        if (i % 4 !== 0) continue;
        await pushContent(registry, repository, imageOf(), { tags: [`moving-${number}`] });
      } catch (error) {
        // The blob was collected before its manifest arrived, so send it again; or the server died.
        if (isRegistryError(error, 'MANIFEST_BLOB_UNKNOWN')) continue;
        return;
      }
    }
  };
  const pushing = Promise.all(Array.from({ length: 8 }, (_, number) => one(number)));
  return {
    async stop() {
      end.abort();
      await pushing;
    },
  };
}

/** Returns the acknowledged content that is missing or incomplete. */
async function lost(registry: Registry, acknowledged: Acknowledged): Promise<string[]> {
  const found: string[] = [];
  const upkeep = maintenanceOf(registry);
  for (const [name, image] of acknowledged) {
    const [repository = '', tag = ''] = name.split(':');
    const there = await registry.resolveTag(repository, tag).catch(() => undefined);
    if (there?.digest !== image.descriptor.digest) found.push(name);
    for (const digest of digestsOf(image)) {
      const verdict = await upkeep?.verify(repository, digest);
      if (verdict !== 'ok') found.push(`${name}: ${digest} is ${verdict}`);
    }
  }
  return found;
}

/** Returns the stored content that no acknowledged image refers to. */
async function garbage(registry: Registry, acknowledged: Acknowledged): Promise<string[]> {
  const upkeep = maintenanceOf(registry);
  if (upkeep === undefined) throw new Error('it has no maintenance');
  const wanted = new Set<string>();
  for (const [name, image] of acknowledged) {
    for (const digest of digestsOf(image)) wanted.add(`${name.slice(0, name.indexOf(':'))}@${digest}`);
  }
  const found: string[] = [];
  for await (const repository of registry.repositories()) {
    const content = [...(await collect(upkeep.manifests(repository))), ...(await collect(upkeep.blobs(repository)))];
    for (const { descriptor } of content) {
      const name = `${repository}@${descriptor.digest}`;
      if (!wanted.has(name)) found.push(name);
    }
  }
  for await (const { digest } of upkeep.orphans()) found.push(`orphan ${digest}`);
  return found;
}

function digestsOf({ descriptor, blobs, manifests }: TestManifest): Digest[] {
  return [descriptor.digest, ...blobs.map((blob) => blob.descriptor.digest), ...manifests.flatMap(digestsOf)];
}

async function removeTagsBut(
  open: (root: string) => LayoutRegistry,
  root: string,
  acknowledged: Acknowledged,
): Promise<void> {
  await using registry = open(root);
  for await (const repository of registry.repositories()) {
    for await (const tag of registry.tags(repository)) {
      if (!acknowledged.has(`${repository}:${tag}`)) await registry.deleteTag(repository, tag);
    }
  }
}

interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
}

/** Runs `ocikit gc`, and optionally kills it after a number of lines. */
async function gc(root: string, first: string | { killAfter: number }, ...rest: string[]): Promise<Ended> {
  const args = typeof first === 'string' ? [first, ...rest] : rest;
  const killAfter = typeof first === 'string' ? Infinity : first.killAfter;
  const child = spawn(process.execPath, [command, 'gc', root, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  let lines = 0;
  let stdout = '';
  createInterface(child.stdout).on('line', (line) => {
    stdout += `${line}\n`;
    if (++lines === killAfter) child.kill('SIGKILL');
  });
  const [code, signal] = await exited;
  return { code, signal, stdout };
}
