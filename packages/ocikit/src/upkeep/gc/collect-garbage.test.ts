import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';

import { collect, maintenance, maintenanceOf, partialRegistry } from '../../model/index.ts';
import type { Digest, Maintenance, Registry } from '../../model/index.ts';
import { openLayout, openLayouts } from '../../stores/layout/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { assertNothingLost, contentOf, digestsOf } from '../../../test/collect-during-pushes.ts';
import { artifactOf, imageOf, indexOf, pushContent, randomBlob } from '../../testing/index.ts';
import type { TestManifest } from '../../testing/index.ts';

import { collectGarbage } from '../index.ts';
import type { GarbageEvent } from '../index.ts';

const hour = 3_600_000;

let dir: string;
const closing: (() => Promise<void>)[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-gc-'));
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  await rm(dir, { recursive: true, force: true });
});

interface StoreOptions {
  sparse?: boolean;
}

const stores: [string, (options?: StoreOptions) => Registry][] = [
  ['memory', (options) => createMemoryRegistry(options)],
  ['a shared layout', (options) => opened(openLayout(dir, { durability: 'none', ...options }))],
  ['a layout for each repository', (options) => opened(openLayouts(dir, { durability: 'none', ...options }))],
];

function opened(registry: ReturnType<typeof openLayout>): Registry {
  closing.push(() => registry.close());
  return registry;
}

function maintenanceIn(registry: Registry): Maintenance {
  const found = maintenanceOf(registry);
  if (found === undefined) throw new Error('it has no maintenance');
  return found;
}

/** Collects what has not been used for a moment. */
async function collectNow(
  registry: Registry,
  options: Parameters<typeof collectGarbage>[1] = {},
): ReturnType<typeof collectGarbage> {
  await pause(10);
  return collectGarbage(registry, { gracePeriod: 0, ...options });
}

/** Stops the clock for the time of the test. It returns a function that lets milliseconds pass. */
function stopClock(): (milliseconds: number) => void {
  vi.useFakeTimers({ toFake: ['Date', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  return (milliseconds) => void vi.advanceTimersByTime(milliseconds);
}

/** The registry, and something that happens first whenever something is about to be removed. */
function beforeRemoval(registry: Registry, happen: (digest: Digest) => Promise<unknown>): Registry {
  const inner = maintenanceIn(registry);
  const removeUnused: Maintenance['removeUnused'] = async (repository, digest, options) => {
    await happen(digest);
    return inner.removeUnused(repository, digest, options);
  };
  return { ...registry, [maintenance]: { ...inner, removeUnused } };
}

describe.each(stores)('in %s', (_name, create) => {
  test('content that no tag reaches goes, and content that one reaches stays', async () => {
    const registry = create();
    const shared = randomBlob(500);
    const kept = imageOf({ layers: [shared] });
    const gone = imageOf({ layers: [shared, randomBlob(100)] });
    await pushContent(registry, 'team/app', kept, { tags: ['v1'] });
    await pushContent(registry, 'team/app', gone);
    await pushContent(registry, 'team/other', gone);
    const report = await collectNow(registry);
    expect(await contentOf(registry, 'team/app')).toEqual(digestsOf(kept));
    expect(await collect(registry.repositories())).toEqual(['team/app']);
    const [config, , layer] = gone.blobs;
    const sizes = (config?.bytes.length ?? 0) + (layer?.bytes.length ?? 0);
    expect(report).toEqual({
      dryRun: false,
      repositories: 2,
      skipped: 0,
      waiting: 0,
      manifests: { count: 2, size: gone.bytes.length * 2 },
      blobs: { count: 5, size: sizes * 2 + 500 },
      orphans: { count: 0, size: 0 },
    });
    expect((await collectNow(registry)).blobs.count).toBe(0);
  });

  test('an index keeps its children and theirs, also an index in an index', async () => {
    const registry = create();
    const inner = indexOf([imageOf(), imageOf()]);
    const outer = indexOf([inner, imageOf()]);
    await pushContent(registry, 'app', outer, { tags: ['v1'] });
    await collectNow(registry);
    expect(await contentOf(registry, 'app')).toEqual(digestsOf(outer));
    await registry.deleteTag('app', 'v1');
    const report = await collectNow(registry);
    expect([report.manifests.count, report.blobs.count]).toEqual([5, 6]);
    expect(await contentOf(registry, 'app')).toEqual([]);
  });

  test('a sparse index keeps the children that are there', async () => {
    const registry = create({ sparse: true });
    const [here, elsewhere] = [imageOf(), imageOf()];
    const index = indexOf([here, elsewhere.descriptor]);
    await pushContent(registry, 'app', index, { tags: ['v1'] });
    const report = await collectNow(registry);
    expect(report.skipped).toBe(0);
    expect(await contentOf(registry, 'app')).toEqual(digestsOf(here, index));
  });

  test('a referrer stays as long as its subject, and its own referrers with it', async () => {
    const registry = create();
    const image = imageOf();
    const signature = artifactOf({ artifactType: 'application/vnd.test.signature', subject: image.descriptor });
    const attestation = artifactOf({ artifactType: 'application/vnd.test.note', subject: signature.descriptor });
    await pushContent(registry, 'app', image, { tags: ['v1'] });
    await pushContent(registry, 'app', signature);
    await pushContent(registry, 'app', attestation);
    await collectNow(registry);
    expect(await contentOf(registry, 'app')).toEqual(digestsOf(image, signature, attestation));
    await registry.deleteTag('app', 'v1');
    await collectNow(registry);
    expect(await contentOf(registry, 'app')).toEqual([]);
  });

  test('a tagged referrer keeps its subject', async () => {
    const registry = create();
    const image = imageOf();
    const signature = artifactOf({ artifactType: 'application/vnd.test.signature', subject: image.descriptor });
    await pushContent(registry, 'app', image);
    await pushContent(registry, 'app', signature, { tags: ['sig'] });
    await collectNow(registry);
    expect(await contentOf(registry, 'app')).toEqual(digestsOf(image, signature));
  });

  test('a referrer whose subject is missing goes, unless it is tagged or dangling ones are kept', async () => {
    const registry = create();
    const [dangling, tagged] = [1, 2].map(() =>
      artifactOf({ artifactType: 'application/vnd.test.signature', subject: imageOf().descriptor }),
    ) as [TestManifest, TestManifest];
    await pushContent(registry, 'app', dangling);
    await pushContent(registry, 'app', tagged, { tags: ['v1'] });
    await collectNow(registry, { dangling: 'keep' });
    expect(await contentOf(registry, 'app')).toEqual(digestsOf(dangling, tagged));
    await collectNow(registry);
    expect(await contentOf(registry, 'app')).toEqual(digestsOf(tagged));
  });

  test('untagged manifests stay, with all that they name, if the options say so', async () => {
    const registry = create();
    const image = imageOf();
    await pushContent(registry, 'app', image);
    const blob = randomBlob();
    await registry.pushBlob('app', blob.descriptor, blob.bytes);
    const report = await collectNow(registry, { untagged: 'keep' });
    expect(report.blobs.count).toBe(1);
    expect(await contentOf(registry, 'app')).toEqual(digestsOf(image));
  });

  test('content that was used within the grace period stays, with all that it names', async () => {
    const registry = create();
    const [index, old] = [indexOf([imageOf()]), imageOf()];
    const pass = stopClock();
    await pushContent(registry, 'app', index);
    await pushContent(registry, 'app', old);
    pass(hour);
    // Its content is old.
    await registry.resolveManifest('app', index.descriptor.digest);
    await collectGarbage(registry, { gracePeriod: 0.8 * hour });
    expect(await contentOf(registry, 'app')).toEqual(digestsOf(index));
  });

  test('a collection does not count as a use of content', async () => {
    const registry = create();
    await pushContent(registry, 'app', indexOf([imageOf()]));
    await collectNow(registry, { dryRun: true });
    await collectNow(registry, { untagged: 'keep' });
    await pause(100);
    const report = await collectGarbage(registry, { gracePeriod: 90 });
    expect(report.manifests.count).toBe(2);
  });

  test('a dry run reports all that would go, and removes nothing', async () => {
    const registry = create();
    const [kept, gone] = [imageOf(), indexOf([imageOf()])];
    await pushContent(registry, 'app', kept, { tags: ['v1'] });
    await pushContent(registry, 'app', gone);
    const before = await contentOf(registry, 'app');
    const said: GarbageEvent[] = [];
    const dry = await collectNow(registry, { dryRun: true, onEvent: (event) => said.push(event) });
    expect(await contentOf(registry, 'app')).toEqual(before);
    const digests = said.flatMap((event) => (event.type === 'garbage' ? [event.digest] : []));
    expect(digests.toSorted()).toEqual(digestsOf(gone));
    expect(await collectNow(registry)).toEqual({ ...dry, dryRun: false });
  });

  test('leased content stays, with all that it names, until the lease ends', async () => {
    const registry = create();
    const index = indexOf([imageOf()]);
    await pushContent(registry, 'app', index);
    const lease = await maintenanceIn(registry).lease('app', [index.descriptor.digest]);
    await collectNow(registry);
    expect(await contentOf(registry, 'app')).toEqual(digestsOf(index));
    await lease[Symbol.asyncDispose]();
    await collectNow(registry);
    expect(await contentOf(registry, 'app')).toEqual([]);
  });

  test('content that was sent since an upload began stays as long as the upload gets bytes', async () => {
    const registry = create();
    // By the clock of the disk, which the tests cannot set: long enough for a busy machine.
    const pass = (): Promise<void> => pause(2500);
    await pushContent(registry, 'other', imageOf());
    await pass();
    const upload = await registry.startUpload('app');
    await upload.append(randomBlob(100_000).bytes);
    const blob = randomBlob();
    await registry.pushBlob('app', blob.descriptor, blob.bytes);
    await pass();
    await upload.append(randomBlob(100_000).bytes);
    await collectGarbage(registry, { gracePeriod: 2000 });
    expect(await contentOf(registry, 'app')).toEqual([blob.descriptor.digest]);
    // Uploads elsewhere have nothing to do with it.
    expect(await contentOf(registry, 'other')).toEqual([]);
    await pass();
    await collectGarbage(registry, { gracePeriod: 2000 });
    expect(await contentOf(registry, 'app')).toEqual([]);
    await upload.cancel();
  });

  test('an index that gets a tag while it is about to be removed keeps what its children name', async () => {
    const registry = create();
    const index = indexOf([indexOf([imageOf()])]);
    await pushContent(registry, 'app', index);
    let pushes = 0;
    const busy = beforeRemoval(registry, async (digest) => {
      if (digest !== index.descriptor.digest) return;
      pushes++;
      await registry.pushManifest('app', index.bytes, index.mediaType, { tags: ['v1'] });
    });
    await collectNow(busy);
    expect(pushes).toBe(1);
    expect(await contentOf(registry, 'app')).toEqual(digestsOf(index));
  });

  test('an image that a new index names while it is about to be removed keeps its blobs', async () => {
    const registry = create();
    const image = imageOf();
    await pushContent(registry, 'app', image);
    const index = indexOf([image]);
    const busy = beforeRemoval(registry, (digest) =>
      digest === image.descriptor.digest
        ? registry.pushManifest('app', index.bytes, index.mediaType, { tags: ['v1'] })
        : Promise.resolve(),
    );
    await collectNow(busy);
    expect(await contentOf(registry, 'app')).toEqual(digestsOf(index));
  });

  test('an image that gets a tag while it is about to be removed keeps its signature', async () => {
    const registry = create();
    const image = imageOf();
    const signature = artifactOf({ artifactType: 'application/vnd.test.signature', subject: image.descriptor });
    await pushContent(registry, 'app', image);
    await pushContent(registry, 'app', signature);
    const busy = beforeRemoval(registry, (digest) =>
      digest === image.descriptor.digest
        ? registry.pushManifest('app', image.bytes, image.mediaType, { tags: ['v1'] })
        : Promise.resolve(),
    );
    await collectNow(busy);
    expect(await contentOf(registry, 'app')).toEqual(digestsOf(image, signature));
  });

  test('a collection that is aborted ends in the middle, and the next one continues', async () => {
    const registry = create();
    for (let i = 0; i < 40; i++) await pushContent(registry, 'app', imageOf());
    const controller = new AbortController();
    const reason = new Error('enough');
    let removed = 0;
    const collecting = collectNow(registry, {
      signal: controller.signal,
      concurrency: 1,
      onEvent: ({ type }) => {
        if (type === 'garbage' && ++removed === 5) controller.abort(reason);
      },
    });
    await expect(collecting).rejects.toThrow(reason);
    expect(removed).toBe(5);
    const left = (await contentOf(registry, 'app')).length;
    expect(left).toBeGreaterThan(100);
    const report = await collectNow(registry);
    expect(report.manifests.count + report.blobs.count).toBe(left);
  });

  test('pushes during collections lose nothing that was acknowledged, and leave no garbage', async () => {
    await assertNothingLost(create(), 25);
  });
});

test('a repository with a damaged reachable manifest is skipped, as it may name any content', async () => {
  const registry = opened(openLayouts(dir));
  const image = imageOf();
  await pushContent(registry, 'app', image, { tags: ['v1'] });
  await pushContent(registry, 'app', imageOf());
  await pushContent(registry, 'other', imageOf());
  const before = await contentOf(registry, 'app');
  await writeFile(join(dir, 'app', 'blobs', image.descriptor.digest.replace(':', '/')), '{}');
  const events: GarbageEvent[] = [];
  const report = await collectNow(registry, { onEvent: (event) => events.push(event) });
  expect(report).toMatchObject({ skipped: 1, manifests: { count: 1 } });
  expect(events).toContainEqual({
    type: 'skipped',
    repository: 'app',
    digest: image.descriptor.digest,
    state: 'corrupt',
  });
  expect(await contentOf(registry, 'app')).toEqual(before);
  // Pushing it again repairs it.
  await registry.pushManifest('app', image.bytes, image.mediaType);
  expect((await collectNow(registry)).skipped).toBe(0);
  expect(await contentOf(registry, 'app')).toEqual(digestsOf(image));
});

describe('orphans of a shared layout', () => {
  const files = (): Promise<string[]> => readdir(join(dir, 'blobs', 'sha256'));

  test('are files that no repository has and no manifest names', async () => {
    const first = openLayout(dir);
    const image = imageOf();
    await pushContent(first, 'app', image, { tags: ['v1'] });
    await first.close();
    const nobodys = randomBlob(10);
    await writeFile(join(dir, 'blobs', nobodys.descriptor.digest.replace(':', '/')), nobodys.bytes);
    // Another tool's image, whose entry has no repository's name: it means nothing here and is not to be touched.
    const theirs = imageOf();
    for (const { descriptor, bytes } of [theirs, ...theirs.blobs]) {
      await writeFile(join(dir, 'blobs', descriptor.digest.replace(':', '/')), bytes);
    }
    const index = join(dir, 'index.json');
    const document = JSON.parse(await readFile(index, 'utf8')) as { manifests: object[] };
    document.manifests.push({
      ...theirs.descriptor,
      annotations: { 'org.opencontainers.image.ref.name': 'latest' },
    });
    await writeFile(index, JSON.stringify(document));

    const registry = opened(openLayout(dir));
    expect((await collect(maintenanceIn(registry).orphans())).map(({ digest }) => digest)).toEqual([
      nobodys.descriptor.digest,
    ]);
    const kept = await collectGarbage(registry);
    expect(kept.orphans).toEqual({ count: 0, size: 0 });
    const report = await collectNow(registry);
    expect(report).toMatchObject({ orphans: { count: 1, size: 10 }, manifests: { count: 0 }, blobs: { count: 0 } });
    expect((await files()).toSorted()).toEqual(
      digestsOf(image, theirs).map((digest) => digest.slice('sha256:'.length)),
    );
  });

  test('are no orphans any more when a client pushes the same content', async () => {
    const registry = opened(openLayout(dir));
    await pushContent(registry, 'app', imageOf(), { tags: ['v1'] });
    const blob = randomBlob();
    await writeFile(join(dir, 'blobs', blob.descriptor.digest.replace(':', '/')), blob.bytes);
    const inner = maintenanceIn(registry);
    const [orphan] = await collect(inner.orphans());
    expect(orphan?.digest).toBe(blob.descriptor.digest);
    await registry.pushBlob('app', blob.descriptor, blob.bytes);
    const unusedSince = new Date(Date.now() + 60_000);
    expect(await inner.removeOrphan(blob.descriptor.digest, { unusedSince })).toBe(false);
    expect(await (await registry.getBlob('app', blob.descriptor.digest)).bytes()).toEqual(blob.bytes);
  });
});

test('a registry without maintenance is refused', async () => {
  await expect(collectGarbage(partialRegistry({}))).rejects.toMatchObject({ code: 'UNSUPPORTED' });
});

test('an invalid grace period is refused', async () => {
  const registry = createMemoryRegistry();
  await expect(collectGarbage(registry, { gracePeriod: -1 })).rejects.toThrow(TypeError);
  await expect(collectGarbage(registry, { gracePeriod: Number.NaN })).rejects.toThrow(TypeError);
});

test('timers fire while a large repository is collected', async () => {
  const registry = createMemoryRegistry({ sparse: true });
  const layers = Array.from({ length: 20 }, () => randomBlob(10).descriptor);
  for (let i = 0; i < 2000; i++) {
    const image = imageOf({ config: layers[0], layers, annotations: { i: String(i) } });
    await registry.pushManifest('app', image.bytes, image.mediaType, i % 2 === 0 ? { tags: [`v${i}`] } : {});
  }
  await pause(10);
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 1);
  const before = process.cpuUsage();
  const report = await collectGarbage(registry, { gracePeriod: 0 });
  const { user, system } = process.cpuUsage(before);
  clearInterval(timer);
  expect(report.manifests.count).toBe(1000);
  // Measure processor time, as other programs may use the processor too.
  expect((user + system) / 1000 / turns).toBeLessThan(30);
});
