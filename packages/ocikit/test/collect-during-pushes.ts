// Collections beside pushes, for tests of any store: nothing that was acknowledged may be lost.
import { setTimeout as pause } from 'node:timers/promises';

import { expect } from 'vitest';

import { collect, isRegistryError, maintenanceOf } from '../src/model/index.ts';
import type { Digest, Registry } from '../src/model/index.ts';
import { imageOf, indexOf, pushContent } from '../src/testing/index.ts';
import type { TestManifest } from '../src/testing/index.ts';
import { collectGarbage } from '../src/upkeep/index.ts';

/** Every digest that a repository has. */
export async function contentOf(registry: Registry, repository: string): Promise<Digest[]> {
  const found = maintenanceOf(registry);
  if (found === undefined) throw new Error('it has no maintenance');
  try {
    const all = [...(await collect(found.manifests(repository))), ...(await collect(found.blobs(repository)))];
    return all.map(({ descriptor }) => descriptor.digest).toSorted();
  } catch (error) {
    if (isRegistryError(error, 'NAME_UNKNOWN')) return [];
    throw error;
  }
}

/** Every digest that these manifests have and name. */
export function digestsOf(...manifests: TestManifest[]): Digest[] {
  const digests = new Set<Digest>();
  const addAll = (manifest: TestManifest): void => {
    digests.add(manifest.descriptor.digest);
    for (const { descriptor } of manifest.blobs) digests.add(descriptor.digest);
    manifest.manifests.forEach(addAll);
  };
  manifests.forEach(addAll);
  return [...digests].toSorted();
}

/**
 * Eight clients push while collections run without end. Then all that was acknowledged is there, and nothing else.
 *
 * @param pushes how many images each client pushes
 */
export async function assertNothingLost(registry: Registry, pushes: number): Promise<void> {
  const maintenance = maintenanceOf(registry);
  if (maintenance === undefined) throw new Error('it has no maintenance');
  const controller = new AbortController();
  let collections = 0;
  const collecting = (async () => {
    while (!controller.signal.aborted) {
      await collectGarbage(registry, { gracePeriod: 2 });
      collections++;
    }
  })();
  const acknowledged = new Map<string, TestManifest>();
  let refused = 0;
  const pusher = async (number: number): Promise<void> => {
    for (let i = 0; i < pushes; i++) {
      // Some tags move, and leave what they were at to the collection.
      const [repository, tag] = [`app-${number % 3}`, i % 4 === 0 ? `moving-${number}` : `v${number}-${i}`];
      const image = i % 3 === 0 ? indexOf([imageOf(), imageOf()]) : imageOf();
      for (;;) {
        try {
          await pushContent(registry, repository, image, { tags: [tag] });
          break;
        } catch (error) {
          // The blob was removed before the manifest came: the client sees the error and sends it again.
          if (!isRegistryError(error, 'MANIFEST_BLOB_UNKNOWN')) throw error;
          refused++;
        }
      }
      acknowledged.set(`${repository}:${tag}`, image);
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, number) => pusher(number)));
  controller.abort();
  await collecting;
  expect(collections).toBeGreaterThan(1);
  await pause(10);
  await collectGarbage(registry, { gracePeriod: 0 });

  const expected = new Map<string, Set<Digest>>();
  for (const [name, image] of acknowledged) {
    const [repository = '', tag = ''] = name.split(':');
    expect((await registry.getTag(repository, tag)).descriptor.digest).toBe(image.descriptor.digest);
    const digests = expected.get(repository) ?? new Set();
    expected.set(repository, digests);
    for (const digest of digestsOf(image)) {
      digests.add(digest);
      if (await maintenance.verify(repository, digest).then((verdict) => verdict !== 'ok')) {
        throw new Error(`${digest} of ${name} is lost; ${refused} pushes were refused`);
      }
    }
  }
  for (const [repository, digests] of expected) {
    expect(await contentOf(registry, repository)).toEqual([...digests].toSorted());
  }
}
