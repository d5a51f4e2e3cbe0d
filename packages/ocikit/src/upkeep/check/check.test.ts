import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { collect, maintenance, maintenanceOf, partialRegistry } from '../../model/index.ts';
import type { Digest, Maintenance, Registry } from '../../model/index.ts';
import { diskBlobs } from '../../stores/blobs/node.ts';
import { openLayout, openLayouts } from '../../stores/layout/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { artifactOf, imageOf, indexOf, pushContent, randomBlob } from '../../testing/index.ts';
import type { TestManifest } from '../../testing/index.ts';

import { check, isDamage, repair } from '../index.ts';
import type { CheckEvent, CheckOptions, Finding } from '../index.ts';

let dir: string;
const closing: (() => Promise<void>)[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-check-'));
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  await rm(dir, { recursive: true, force: true });
});

interface Store {
  registry: Registry;
  /** Gives the file of a blob or manifest; undefined if manifests are in memory. */
  pathOf: (repository: string, digest: Digest) => string;
}

function memory({ sparse = false } = {}): Store {
  const registry = createMemoryRegistry({ blobs: diskBlobs(dir), sparse });
  return { registry, pathOf: (_repository, digest) => join(dir, digest.replace(':', '/')) };
}

function shared({ sparse = false } = {}): Store {
  const registry = openLayout(dir, { durability: 'none', sparse });
  closing.push(() => registry.close());
  return { registry, pathOf: (_repository, digest) => join(dir, 'blobs', digest.replace(':', '/')) };
}

function single({ sparse = false } = {}): Store {
  const registry = openLayouts(dir, { durability: 'none', sparse });
  closing.push(() => registry.close());
  return { registry, pathOf: (repository, digest) => join(dir, repository, 'blobs', digest.replace(':', '/')) };
}

async function checkNow(registry: Registry, options: CheckOptions = {}): Promise<Finding[]> {
  await pause(10);
  return collect(check(registry, { gracePeriod: 0, ...options }));
}

const brief = ({ kind, repository, digest, neededBy }: Finding): object => ({ kind, repository, digest, neededBy });

function digestOf(image: TestManifest, blob = 1): Digest {
  const found = image.blobs[blob];
  if (found === undefined) throw new Error('the image has no such blob');
  return found.descriptor.digest;
}

describe.each([
  ['memory, with its blobs in files', memory],
  ['a shared layout', shared],
  ['a layout for each repository', single],
])('in %s', (_name, create) => {
  test('an intact registry has no findings, and all of its content was checked', async () => {
    const { registry } = create();
    const image = imageOf();
    const signature = artifactOf({ artifactType: 'application/vnd.test', subject: image.descriptor });
    const index = indexOf([image]);
    for (const repository of ['team/app', 'team/other']) {
      await pushContent(registry, repository, index, { tags: ['v1'] });
      await pushContent(registry, repository, signature);
    }
    const events: CheckEvent[] = [];
    expect(await checkNow(registry, { onEvent: (event) => events.push(event) })).toEqual([]);
    expect(events.filter(({ type }) => type === 'repository')).toHaveLength(2);
    const sizes = events.flatMap((event) => (event.type === 'checked' ? [event.size] : []));
    const contents = [index, image, signature, ...image.blobs, ...signature.blobs];
    const total = contents.reduce((sum, { bytes }) => sum + bytes.length, 0);
    expect([sizes.length, sizes.reduce((sum, size) => sum + size)]).toEqual([contents.length * 2, total * 2]);
  });

  test.each<[string, (path: string) => Promise<void>]>([
    ['with another byte', (path) => writeFile(path, Buffer.alloc(1024))],
    ['cut short', (path) => truncate(path, 100)],
    ['empty', (path) => truncate(path, 0)],
  ])('a blob %s is corrupt, and the image says that it needs it', async (_what, damage) => {
    const { registry, pathOf } = create();
    const image = imageOf();
    await pushContent(registry, 'app', image, { tags: ['v1'] });
    await damage(pathOf('app', digestOf(image)));
    const findings = await checkNow(registry);
    expect(findings.map(brief)).toEqual([
      { kind: 'corrupt', repository: 'app', digest: digestOf(image), neededBy: image.descriptor.digest },
    ]);
    expect(findings.every(isDamage)).toBe(true);
    // Pushing it again repairs it.
    const blob = image.blobs[1];
    if (blob !== undefined) await registry.pushBlob('app', blob.descriptor, blob.bytes);
    expect(await checkNow(registry)).toEqual([]);
  });

  test('a blob that is gone is missing once, however many manifests name it', async () => {
    const { registry, pathOf } = create();
    const layer = randomBlob(300);
    const images = [imageOf({ layers: [layer] }), imageOf({ layers: [layer] })];
    for (const [i, image] of images.entries()) await pushContent(registry, 'app', image, { tags: [`v${i}`] });
    await rm(pathOf('app', layer.descriptor.digest));
    const [first] = images.map(({ descriptor }) => descriptor.digest).toSorted();
    expect(await checkNow(registry)).toEqual([
      {
        kind: 'missing',
        repository: 'app',
        digest: layer.descriptor.digest,
        content: 'blob',
        size: 300,
        mediaType: 'application/octet-stream',
        neededBy: first,
      },
    ]);
  });

  test('a manifest that an index names and that was never pushed is missing, unless the registry is sparse', async () => {
    const { registry } = create({ sparse: true });
    const absent = imageOf();
    const index = indexOf([absent.descriptor]);
    await pushContent(registry, 'app', index, { tags: ['v1'] });
    expect((await checkNow(registry)).map(brief)).toEqual([
      { kind: 'missing', repository: 'app', digest: absent.descriptor.digest, neededBy: index.descriptor.digest },
    ]);
    expect(await checkNow(registry, { sparse: true })).toEqual([]);
  });

  test('neither a layer with URLs nor a subject has to be there', async () => {
    const { registry } = create();
    const layer = { ...randomBlob().descriptor, urls: ['https://example.com/layer'] };
    const image = imageOf({ layers: [layer], subject: imageOf().descriptor });
    await pushContent(registry, 'app', image, { tags: ['v1'] });
    expect(await checkNow(registry)).toEqual([]);
  });

  test('content that no tag reaches is unreachable when the grace period is over', async () => {
    const { registry } = create();
    const [kept, gone] = [imageOf(), imageOf()];
    await pushContent(registry, 'app', kept, { tags: ['v1'] });
    await pushContent(registry, 'app', gone);
    expect(await collect(check(registry))).toEqual([]);
    const found = await checkNow(registry);
    expect(found.map(({ kind }) => kind)).toEqual(['unreachable', 'unreachable', 'unreachable']);
    const digests = [gone, ...gone.blobs].map(({ descriptor }) => descriptor.digest);
    expect(found.flatMap(({ digest }) => digest ?? []).toSorted()).toEqual(digests.toSorted());
    expect(found.some(isDamage)).toBe(false);
  });

  test('a check does not count as a use', async () => {
    const { registry } = create();
    await pushContent(registry, 'app', imageOf());
    await pause(60);
    await checkNow(registry);
    expect(await collect(check(registry, { gracePeriod: 50 }))).toHaveLength(3);
  });

  test('a check ends in the middle when it is aborted or left', async () => {
    const { registry } = create();
    for (let i = 0; i < 10; i++) await pushContent(registry, 'app', imageOf());
    const controller = new AbortController();
    const reason = new Error('enough');
    let seen = 0;
    const checking = checkNow(registry, {
      signal: controller.signal,
      onEvent: ({ type }) => {
        if (type === 'checked' && ++seen === 15) controller.abort(reason);
      },
    });
    await expect(checking).rejects.toThrow(reason);
    expect(seen).toBeLessThan(30);
  });

  test('a repair fetches missing and corrupt content, and reports content that cannot be fetched', async () => {
    const { registry, pathOf } = create();
    const peer = createMemoryRegistry();
    const [image, other] = [imageOf(), imageOf()];
    await pushContent(registry, 'app', image, { tags: ['v1'] });
    await pushContent(registry, 'app', other, { tags: ['v2'] });
    await pushContent(peer, 'mirror/app', image);
    await rm(pathOf('app', digestOf(image, 0)));
    await writeFile(pathOf('app', digestOf(image, 1)), 'other bytes');
    await rm(pathOf('app', digestOf(other)));
    const outcomes = new Map<Digest, string>();
    for (const finding of await checkNow(registry)) {
      const done = await repair(registry, finding, peer, { repositoryOf: (name) => `mirror/${name}` });
      if (finding.digest !== undefined)
        outcomes.set(finding.digest, done.outcome === 'failed' ? String(done.error) : done.outcome);
    }
    expect(outcomes.get(digestOf(image, 0))).toBe('repaired');
    expect(outcomes.get(digestOf(image, 1))).toBe('repaired');
    expect(outcomes.get(digestOf(other))).toContain(`mirror/app has no blob ${digestOf(other)}`);
    expect((await checkNow(registry)).map(({ digest }) => digest)).toEqual([digestOf(other)]);
  });

  test('a repair stores nothing that does not match its digest', async () => {
    const { registry, pathOf } = create();
    const image = imageOf();
    await pushContent(registry, 'app', image, { tags: ['v1'] });
    await rm(pathOf('app', digestOf(image)));
    const [finding] = await checkNow(registry);
    if (finding === undefined) throw new Error('there is no finding');
    const honest = createMemoryRegistry();
    const lie = randomBlob();
    await honest.pushBlob('app', lie.descriptor, lie.bytes);
    const lying = partialRegistry({ getBlob: () => honest.getBlob('app', lie.descriptor.digest) });
    const done = await repair(registry, finding, lying);
    expect(done).toMatchObject({ outcome: 'failed', error: { code: 'DIGEST_INVALID' } });
    expect((await checkNow(registry)).map(({ digest }) => digest)).toEqual([digestOf(image)]);
  });
});

describe.each([
  ['a shared layout', shared],
  ['a layout for each repository', single],
])('a manifest in %s', (_name, create) => {
  test('that is damaged is corrupt, keeps others from being called unreachable, and is repaired', async () => {
    const { registry, pathOf } = create();
    const image = imageOf();
    const index = indexOf([image]);
    await pushContent(registry, 'app', index, { tags: ['v1'] });
    await writeFile(pathOf('app', image.descriptor.digest), image.bytes.toReversed());
    const findings = await checkNow(registry);
    expect(findings.map(brief)).toEqual([
      { kind: 'corrupt', repository: 'app', digest: image.descriptor.digest, neededBy: index.descriptor.digest },
    ]);
    const peer = createMemoryRegistry();
    await pushContent(peer, 'app', image);
    for (const finding of findings) expect((await repair(registry, finding, peer)).outcome).toBe('repaired');
    expect(await checkNow(registry)).toEqual([]);
    expect((await registry.getManifest('app', image.descriptor.digest)).bytes).toEqual(image.bytes);
  });

  test('that is gone is missing, with its tag still there, and comes back with what it names', async () => {
    const { registry, pathOf } = create();
    const image = imageOf();
    await pushContent(registry, 'app', image, { tags: ['v1'] });
    for (const digest of [image.descriptor.digest, digestOf(image, 0)]) await rm(pathOf('app', digest));
    const findings = await checkNow(registry);
    expect(findings.map(brief)).toContainEqual({
      kind: 'missing',
      repository: 'app',
      digest: image.descriptor.digest,
      neededBy: undefined,
    });
    const peer = createMemoryRegistry();
    await pushContent(peer, 'app', image);
    for (const finding of findings) {
      if (isDamage(finding)) expect((await repair(registry, finding, peer)).outcome).toBe('repaired');
    }
    expect(await checkNow(registry)).toEqual([]);
    expect((await registry.getTag('app', 'v1')).bytes).toEqual(image.bytes);
  });
});

test('a file that no repository of a shared layout has is orphaned', async () => {
  const { registry, pathOf } = shared();
  await pushContent(registry, 'app', imageOf(), { tags: ['v1'] });
  const { descriptor, bytes } = randomBlob(77);
  await writeFile(pathOf('app', descriptor.digest), bytes);
  expect(await collect(check(registry))).toEqual([]);
  expect(await checkNow(registry)).toEqual([
    {
      kind: 'orphaned',
      repository: undefined,
      digest: descriptor.digest,
      content: undefined,
      size: 77,
      neededBy: undefined,
      mediaType: undefined,
    },
  ]);
});

test('a directory that another process writes to can be checked, and is not written to', async () => {
  const writer = openLayouts(dir);
  closing.push(() => writer.close());
  const image = imageOf();
  await pushContent(writer, 'app', image, { tags: ['v1'] });
  // Until then the journal answers for it.
  await writer.fold();
  const before = await readdir(join(dir, '.ocikit'));
  const reader = openLayouts(dir);
  await truncate(join(dir, 'app', 'blobs', digestOf(image).replace(':', '/')), 3);
  expect((await checkNow(reader)).map(({ kind, digest }) => [kind, digest])).toEqual([['corrupt', digestOf(image)]]);
  await reader.close();
  expect(await readdir(join(dir, '.ocikit'))).toEqual(before);
});

test('a manifest that is deleted during the check is not missing', async () => {
  const registry = createMemoryRegistry();
  const inner = maintenanceOf(registry);
  if (inner === undefined) throw new Error('it has no maintenance');
  const [image, kept] = [imageOf(), imageOf()];
  await pushContent(registry, 'app', image, { tags: ['v1'] });
  await pushContent(registry, 'app', kept, { tags: ['v2'] });
  const { digest } = image.descriptor;
  const readManifest: Maintenance['readManifest'] = async (repository, wanted, options) => {
    if (wanted === digest) await registry.deleteManifest('app', digest).catch(() => undefined);
    return inner.readManifest(repository, wanted, options);
  };
  const busy = { ...registry, [maintenance]: { ...inner, readManifest } };
  expect(await collect(check(busy))).toEqual([]);
});

test('a finding that needs no repair is refused', async () => {
  const registry = createMemoryRegistry();
  await pushContent(registry, 'app', imageOf());
  const [finding] = await checkNow(registry);
  if (finding === undefined) throw new Error('there is no finding');
  await expect(repair(registry, finding, registry)).rejects.toThrow('needs no repair');
});

test('a registry without maintenance is refused', async () => {
  await expect(collect(check(partialRegistry({})))).rejects.toMatchObject({ code: 'UNSUPPORTED' });
});
