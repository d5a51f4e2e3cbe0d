import { expect, test } from 'vitest';

import { newManifest } from './content.ts';
import { faultsOfLayouts } from './layout-check.ts';
import { getManifest, pushSmall } from './requests.ts';
import { useScratch } from './scratch.ts';
import { useServers } from './server.ts';

const scratch = useScratch();
const servers = useServers();

test('pushes to more repositories than are kept open lose nothing', { timeout: 300_000 }, async () => {
  const root = await scratch.newDirectory();
  const flags = ['--quiet', '--durability', 'none'];
  const manifests = Array.from({ length: 300 }, () => newManifest());
  const server = await servers.start(root, { flags });
  await inParallel(manifests, async (manifest, i) => {
    expect((await pushSmall(server.url, `app-${i}`, manifest, '1')).status).toBe(201);
  });
  const lost = async (url: string): Promise<string[]> => {
    const missing: string[] = [];
    await inParallel(manifests, async ({ bytes }, i) => {
      const answer = await getManifest(url, `app-${i}`, '1');
      if (!answer.body.equals(bytes)) missing.push(`app-${i}: HTTP ${answer.status}`);
    });
    return missing;
  };
  expect.soft(await lost(server.url)).toEqual([]);
  expect(await server.stop()).toBe(0);
  expect(await lost((await servers.start(root, { flags })).url)).toEqual([]);
  expect(await faultsOfLayouts(root)).toEqual([]);
});

async function inParallel<T>(items: readonly T[], run: (item: T, i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < items.length) {
      const i = next++;
      await run(items[i] as T, i);
    }
  };
  await Promise.all(Array.from({ length: 32 }, work));
}
