import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

import { describe, expect, test } from 'vitest';

import { digestOf } from './content.ts';
import { faultsOfLayouts } from './layout-check.ts';
import { Ledger } from './ledger.ts';
import { pushUntilGone } from './pushing.ts';
import type { Traffic } from './pushing.ts';
import { randomOf } from './random.ts';
import { getBlob, getManifest } from './requests.ts';
import type { Answer } from './requests.ts';
import { missingCommand, requireOf } from './requirement.ts';
import { useScratch } from './scratch.ts';
import { useServers } from './server.ts';

/** How many times the server is killed: `OCIKIT_FAULT_ROUNDS=100`. */
const rounds = Number(process.env['OCIKIT_FAULT_ROUNDS'] ?? 4);
/** The seed: `OCIKIT_FAULT_SEED` repeats a failed run. */
const seed = Number(process.env['OCIKIT_FAULT_SEED'] ?? Date.now() % 1_000_000);
const connections = 16;
/** The kinds of requests that the clients send. */
const kinds = [
  'PATCH a blob',
  'PUT a blob',
  'delete a blob',
  'delete a manifest',
  'delete a tag',
  'mount a blob',
  'push a manifest',
  'push a tagged manifest',
];

const scratch = useScratch();
const servers = useServers();
const roots = new Map<string, string>();

describe.each(['per-repository', 'shared'])('with the layout %s', (layout) => {
  const flags = ['--layout', layout, '--quiet'];

  test(
    `what was acknowledged is there after each of ${rounds} kills amid pushes (seed ${seed})`,
    { timeout: 60_000 + rounds * 120_000 },
    async () => {
      const random = randomOf(seed);
      const root = await scratch.newDirectory();
      roots.set(layout, root);
      const traffic: Traffic = {
        blobs: new Ledger(),
        manifests: new Ledger(),
        tags: new Ledger(),
        bytes: new Map(),
        counts: new Map(),
      };
      // A busy machine needs more rounds until each kind of request was acknowledged.
      for (let round = 1; round <= rounds || (traffic.counts.size < kinds.length && round <= 4 * rounds); round++) {
        const server = await servers.start(root, { flags });
        const pushing = Array.from({ length: connections }, (_, number) =>
          pushUntilGone(server.url, number, traffic, randomOf(random(1_000_000))),
        );
        const pushed = Promise.all(pushing);
        await Promise.race([delay(300 + random(1000)), pushed]);
        await server.kill();
        await pushed;
        expect(await faultsOfLayouts(root)).toEqual([]);

        // The server may be killed while it repairs, too.
        if (round % 2 === 0) await servers.startAndKill(root, 50 + random(400), { flags });
        expect(await faultsOfLayouts(root)).toEqual([]);

        const restarted = await servers.start(root, { flags });
        expect(await differences(restarted.url, traffic)).toEqual([]);
        await restarted.kill();
        expect(await faultsOfLayouts(root)).toEqual([]);
      }
      // The load has to include all of these kinds of requests.
      expect([...traffic.counts.keys()].toSorted()).toEqual(kinds);
    },
  );

  test('skopeo reads the layouts after the kills', { timeout: 300_000 }, async (context) => {
    requireOf(context, missingCommand('skopeo', '--version'));
    const root = roots.get(layout);
    if (root === undefined) throw new Error('the test before has not come to an end');
    const server = await servers.start(root, { flags });
    let read = 0;
    for (const repository of ['team-0/app', 'team-3/app']) {
      const tags = await tagsOfRepository(server.url, repository);
      for (const tag of tags.slice(0, 5)) {
        const expected = (await getManifest(server.url, repository, tag)).body;
        const image = layout === 'shared' ? `${root}:${repository}:${tag}` : `${join(root, repository)}:${tag}`;
        const raw = await skopeo('inspect', '--raw', `oci:${image}`);
        expect(digestOf(Buffer.from(raw))).toBe(digestOf(expected));
        await skopeo('copy', `oci:${image}`, `dir:${await scratch.newDirectory()}`);
        read++;
      }
    }
    expect(read).toBeGreaterThan(2);
  });
});

/** Returns the differences from the ledgers, and makes the found state the expected one. */
async function differences(url: string, { blobs, manifests, tags, bytes }: Traffic): Promise<string[]> {
  const found: string[] = [];
  const check = async (ledger: Ledger, name: string, answer: Answer): Promise<void> => {
    const value = answer.status === 404 ? undefined : digestOf(answer.body);
    const possible = ledger.possible(name);
    const expected = value === undefined ? undefined : bytes.get(value);
    if (![200, 404].includes(answer.status)) found.push(`${name}: HTTP ${answer.status}`);
    else if (!possible.has(value)) found.push(`${name}: ${value ?? 'missing'}, not ${[...possible].join(' or ')}`);
    else if (value !== undefined && expected?.equals(answer.body) !== true) found.push(`${name}: other bytes`);
    ledger.settle(name, value);
  };
  const waiting: (() => Promise<void>)[] = [];
  for (const [ledger, separator, get] of [
    [blobs, '@', getBlob],
    [manifests, '@', getManifest],
    [tags, ':', getManifest],
  ] as const) {
    for (const name of ledger.names()) {
      const at = name.indexOf(separator);
      waiting.push(async () => check(ledger, name, await get(url, name.slice(0, at), name.slice(at + 1))));
    }
  }
  const work = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await next();
  };
  await Promise.all(Array.from({ length: connections }, work));
  return found;
}

async function tagsOfRepository(url: string, repository: string): Promise<string[]> {
  const response = await fetch(`${url}/v2/${repository}/tags/list`);
  return ((await response.json()) as { tags: string[] }).tags;
}

async function skopeo(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('skopeo', args, { timeout: 30_000, encoding: 'utf8' });
  return stdout;
}
