import { describe, expect, test } from 'vitest';

import { digestOf, mediaTypes } from '../../model/index.ts';
import type { Descriptor, Digest, Manifest, Registry } from '../../model/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { imageOf, indexOf, manifestOf, pushContent } from '../../testing/index.ts';
import type { TestManifest } from '../../testing/index.ts';

import { createRef, pull, registrySource, walk } from '../index.ts';
import type { Ref, WalkOptions } from '../index.ts';

async function digestsOf(ref: Ref, options?: WalkOptions): Promise<Digest[]> {
  const digests: Digest[] = [];
  for await (const each of walk(ref, options)) digests.push(each.descriptor.digest);
  return digests;
}

/** A registry in which only manifests are, and which says what it is asked for. */
function registryOf(...manifests: readonly TestManifest[]): Registry & { asked: Digest[] } {
  const asked: Digest[] = [];
  const all = new Map(manifests.map((manifest) => [manifest.descriptor.digest, manifest]));
  const getManifest = async (_repository: string, digest: Digest): Promise<Manifest> => {
    asked.push(digest);
    const found = all.get(digest);
    if (found === undefined) throw new Error(`${digest} is not there`);
    return found;
  };
  return { ...createMemoryRegistry(), getManifest, asked };
}

const refOf = ({ bytes, mediaType }: TestManifest, registry: Registry): Ref =>
  createRef({ bytes, mediaType, source: registrySource(registry, 'a') });

const digest = ({ descriptor }: { descriptor: Descriptor }): Digest => descriptor.digest;

test('children come before their parents, each digest once, in the order of the entries', async () => {
  const [a, b, c] = [imageOf(), imageOf(), imageOf()];
  const inner = indexOf([b, a]);
  const outer = indexOf([a, inner, c, b, inner]);
  const registry = createMemoryRegistry();
  await pushContent(registry, 'a', outer, { tags: ['v1'] });
  const ref = await pull(registry, 'a', { tag: 'v1' });
  expect(await digestsOf(ref)).toEqual([a, b, inner, c, outer].map(digest));
});

test('a walk of an image yields the image alone', async () => {
  const image = imageOf();
  expect(await digestsOf(refOf(image, registryOf()))).toEqual([digest(image)]);
});

test('each manifest is fetched once, and only when its turn comes', async () => {
  const [a, b] = [imageOf(), imageOf()];
  const registry = registryOf(a, b);
  const walking = walk(refOf(indexOf([a, b, a]), registry));
  await walking.next();
  expect(registry.asked).toEqual([digest(a)]);
  await walking.next();
  await walking.next();
  expect(registry.asked).toEqual([digest(a), digest(b)]);
  expect((await walking.next()).done).toBe(true);
});

test('a ladder of indexes, each naming the next one twice, costs as many steps as it has rungs', async () => {
  const rungs: TestManifest[] = [imageOf()];
  for (let i = 0; i < 40; i++) rungs.push(indexOf([rungs[i] ?? imageOf(), rungs[i] ?? imageOf()]));
  const top = rungs.at(-1);
  if (top === undefined) throw new Error('there is no rung');
  expect(await digestsOf(refOf(top, registryOf(...rungs)), { depth: 40 })).toEqual(rungs.map(digest));
});

test('indexes that are nested too deeply end the walk', async () => {
  const rungs: TestManifest[] = [imageOf()];
  for (let i = 0; i < 9; i++) rungs.push(indexOf(rungs.slice(-1)));
  const registry = registryOf(...rungs);
  const at = (i: number): Ref => refOf(rungs[i] ?? imageOf(), registry);
  expect((await digestsOf(at(8))).length).toBe(9);
  await expect(digestsOf(at(9))).rejects.toMatchObject({ code: 'MANIFEST_INVALID' });
  expect((await digestsOf(at(9), { depth: 9 })).length).toBe(10);
  await expect(digestsOf(at(1), { depth: 0 })).rejects.toMatchObject({ code: 'MANIFEST_INVALID' });
  expect(await digestsOf(at(0), { depth: 0 })).toHaveLength(1);
});

describe('a walk ends with', () => {
  const image = imageOf();
  const missing = { mediaType: mediaTypes.imageManifest, digest: digestOf(new Uint8Array()), size: 0 };

  test('a missing child', async () => {
    const memory = createMemoryRegistry({ sparse: true });
    await pushContent(memory, 'a', indexOf([image, missing]), { tags: ['v1'] });
    const ref = await pull(memory, 'a', { tag: 'v1' });
    await expect(digestsOf(ref)).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
  });

  test.each([
    ['a digest that is two sizes', { ...image.descriptor, size: 1 }],
    ['a digest that is two types', { ...image.descriptor, mediaType: mediaTypes.dockerManifest }],
  ])('%s', async (_what, entry) => {
    const ref = refOf(indexOf([image, entry]), registryOf(image));
    await expect(digestsOf(ref)).rejects.toMatchObject({ code: 'MANIFEST_INVALID' });
  });

  test('an entry that is neither an image nor an index', async () => {
    const artifact = manifestOf({ artifactType: 'a/b' }, { mediaType: mediaTypes.artifactManifest });
    const ref = refOf(indexOf([image, artifact]), registryOf(image, artifact));
    await expect(digestsOf(ref)).rejects.toMatchObject({ code: 'UNSUPPORTED_MEDIA_TYPE' });
  });

  test('its signal', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const walking = walk(refOf(indexOf([image, imageOf()]), registryOf(image)), { signal: controller.signal });
    expect((await walking.next()).value?.descriptor).toEqual(image.descriptor);
    controller.abort(reason);
    await expect(walking.next()).rejects.toBe(reason);
    await expect(walk(refOf(image, registryOf()), { signal: controller.signal }).next()).rejects.toBe(reason);
  });
});
