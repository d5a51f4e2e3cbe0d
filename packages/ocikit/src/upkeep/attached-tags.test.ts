import { setTimeout as pause } from 'node:timers/promises';

import { describe, expect, test } from 'vitest';

import { collect, isRegistryError, maintenance, maintenanceOf, RegistryError } from '../model/index.ts';
import type { Digest, Maintenance, Registry } from '../model/index.ts';
import { createMemoryRegistry } from '../stores/memory/index.ts';
import { artifactOf, imageOf, indexOf, pushContent } from '../testing/index.ts';
import type { TestManifest } from '../testing/index.ts';

import { applyRetention, check, collectGarbage, planRetention } from './index.ts';
import type { GarbageEvent, RetentionRules } from './index.ts';
import { subjectOfTag } from './shared/index.ts';

import { stores } from '../../test/stores.ts';

const ends = ['.sig', '.att', '.sbom'] as const;

/** Tags with which cosign attaches content to an image. */
const tagOf = ({ descriptor }: TestManifest, end = ''): string => descriptor.digest.replace(':', '-') + end;

/** Pushes an image with a signature, an attestation and a bill of materials. */
async function pushSigned(registry: Registry, repository: string, ...tags: string[]): Promise<TestManifest> {
  const image = imageOf();
  await pushContent(registry, repository, image, { tags });
  for (const end of ends) await pushContent(registry, repository, imageOf(), { tags: [tagOf(image, end)] });
  await pause(5);
  return image;
}

async function tagsOf(registry: Registry, repository: string): Promise<string[]> {
  return collect(registry.tags(repository)).catch((error: unknown) => {
    if (isRegistryError(error, 'NAME_UNKNOWN')) return [];
    throw error;
  });
}

async function collectNow(
  registry: Registry,
  options: Parameters<typeof collectGarbage>[1] = {},
): Promise<GarbageEvent[]> {
  await pause(10);
  const events: GarbageEvent[] = [];
  await collectGarbage(registry, { gracePeriod: 0, ...options, onEvent: (event) => events.push(event) });
  return events;
}

const namesOf = (image: TestManifest): string[] => ends.map((end) => tagOf(image, end));

const hex = 'ab'.repeat(32);

test.each([
  [`sha256-${hex}`, `sha256:${hex}`],
  [`sha256-${hex}.sig`, `sha256:${hex}`],
  [`sha256-${hex}.att`, `sha256:${hex}`],
  [`sha256-${hex}.sbom`, `sha256:${hex}`],
])('%s belongs to a manifest', (tag, digest) => {
  expect(subjectOfTag(tag)).toEqual({ digest, beginning: digest });
});

test('a tag of a sha512 digest has its beginning only', () => {
  expect(subjectOfTag(`sha512-${hex}`)).toEqual({ digest: undefined, beginning: `sha512:${hex}` });
});

test.each([
  'latest',
  'v1.sig',
  `sha256-${hex.slice(1)}`,
  `sha256-${hex}0`,
  `sha256-${hex}.old`,
  `sha256-${hex}.sig.1`,
  `md5-${hex}`,
  `sha256-${hex.toUpperCase()}`,
  `xsha256-${hex}`,
])('%s is an ordinary tag', (tag) => {
  expect(subjectOfTag(tag)).toBeUndefined();
});

describe.each(stores)('in %s', (_name, create) => {
  test('retention keeps the newest images with their signatures, and collection removes the others with theirs', async () => {
    const registry = create();
    const images: TestManifest[] = [];
    for (let i = 1; i <= 6; i++) images.push(await pushSigned(registry, 'app', `v${i}`));
    const report = await applyRetention(registry, { tags: [{ keep: { last: 3 } }] });
    expect(report.tags).toBe(3);
    const kept = images.slice(3);
    expect((await tagsOf(registry, 'app')).filter((tag) => tag.startsWith('v'))).toEqual(['v4', 'v5', 'v6']);
    expect((await tagsOf(registry, 'app')).length).toBe(3 + 18);
    await collectNow(registry);
    expect(await tagsOf(registry, 'app')).toEqual([...kept.flatMap(namesOf), 'v4', 'v5', 'v6'].toSorted());
    for (const image of kept) {
      const signature = await registry.getTag('app', tagOf(image, '.sig'));
      const document = JSON.parse(Buffer.from(signature.bytes).toString()) as { layers: { digest: Digest }[] };
      for (const { digest } of document.layers) await registry.resolveBlob('app', digest);
    }
    expect(await collectNow(registry)).toEqual([{ type: 'repository', repository: 'app' }]);
  });

  test('the last image of a repository goes with its signatures', async () => {
    const registry = create();
    const image = await pushSigned(registry, 'app', 'v1');
    await registry.deleteManifest('app', image.descriptor.digest);
    expect((await tagsOf(registry, 'app')).length).toBe(3);
    const dry = await collectNow(registry, { dryRun: true });
    expect(dry.filter(({ type }) => type === 'untagged')).toHaveLength(3);
    expect((await collect(check(registry, { gracePeriod: 0 }))).map(({ kind }) => kind)).toContain('unreachable');
    expect((await tagsOf(registry, 'app')).length).toBe(3);
    await collectNow(registry, { dangling: 'keep' });
    expect((await tagsOf(registry, 'app')).length).toBe(3);
    await collectNow(registry, { gracePeriod: 60_000 });
    expect((await tagsOf(registry, 'app')).length).toBe(3);
    await collectNow(registry, { untagged: 'keep' });
    expect(await tagsOf(registry, 'app')).toEqual([]);
    expect(await collect(registry.repositories())).toEqual([]);
  });

  test('signatures of signatures, of children of an index and of untagged images in use stay', async () => {
    const registry = create();
    const child = imageOf();
    const index = indexOf([child]);
    await pushContent(registry, 'app', index, { tags: ['v1'] });
    const signature = imageOf();
    await pushContent(registry, 'app', signature, { tags: [tagOf(child, '.sig')] });
    await pushContent(registry, 'app', imageOf(), { tags: [tagOf(signature, '.sig')] });
    // One manifest may be attached and have an ordinary tag.
    const both = imageOf();
    await pushContent(registry, 'app', both, { tags: [tagOf(imageOf(), '.sbom'), 'sbom'] });
    const before = await tagsOf(registry, 'app');
    await collectNow(registry);
    expect(await tagsOf(registry, 'app')).toEqual(before);
    await registry.deleteTag('app', 'v1');
    await collectNow(registry);
    expect(await tagsOf(registry, 'app')).toEqual(['sbom', before.find((tag) => tag.endsWith('.sbom'))]);
  });

  test('a list of referrers goes with its subject, and its referrers too', async () => {
    const registry = create();
    const image = imageOf();
    const referrer = artifactOf({ artifactType: 'application/vnd.example', subject: image.descriptor });
    await pushContent(registry, 'app', image, { tags: ['v1'] });
    await pushContent(registry, 'app', referrer);
    await pushContent(registry, 'app', indexOf([referrer]), { tags: [tagOf(image)] });
    await collectNow(registry);
    expect(await tagsOf(registry, 'app')).toEqual([tagOf(image), 'v1']);
    await registry.deleteTag('app', 'v1');
    await collectNow(registry);
    expect(await collect(registry.repositories())).toEqual([]);
  });

  test('signatures in a repository of their own stay as long as another repository has the image', async () => {
    const registry = create();
    const image = imageOf();
    await pushContent(registry, 'app', image, { tags: ['v1'] });
    await pushContent(registry, 'signatures', imageOf(), { tags: [tagOf(image, '.sig')] });
    await collectNow(registry);
    expect(await tagsOf(registry, 'signatures')).toEqual([tagOf(image, '.sig')]);
    await registry.deleteTag('app', 'v1');
    await collectNow(registry);
    await collectNow(registry);
    expect(await collect(registry.repositories())).toEqual([]);
  });

  test('retention of untagged manifests takes an old image with its signatures', async () => {
    const registry = create();
    await pushSigned(registry, 'app');
    await pushSigned(registry, 'app', 'v1');
    await pause(10);
    const rules: RetentionRules = { untagged: [{ keepUsedWithin: 0 }] };
    const steps = await collect(planRetention(registry, rules));
    expect(steps.map(({ type }) => type)).toEqual(['manifest', 'manifest', 'manifest', 'manifest']);
    const report = await applyRetention(registry, rules);
    expect(report).toMatchObject({ manifests: { count: 4 }, kept: 0 });
    expect((await tagsOf(registry, 'app')).length).toBe(4);
  });

  test('a signature stays if its image is pushed again during the collection', async () => {
    const registry = create();
    const image = await pushSigned(registry, 'app', 'v1');
    await registry.deleteManifest('app', image.descriptor.digest);
    await pause(10);
    const inner = maintenanceOf(registry);
    if (inner === undefined) throw new Error('it has no maintenance');
    const manifests: Maintenance['manifests'] = async function* (name, options) {
      // The collection asks for one manifest before it deletes a tag.
      if (options?.limit === 1) await pushContent(registry, name, image);
      yield* inner.manifests(name, options);
    };
    await collectNow({ ...registry, [maintenance]: { ...inner, manifests } });
    expect((await tagsOf(registry, 'app')).length).toBe(3);
  });
});

test('immutable tags keep signatures, and the collection continues', async () => {
  const registry = createMemoryRegistry({ immutableTags: true });
  await pushContent(registry, 'app', imageOf(), { tags: [tagOf(imageOf(), '.sig')] });
  await pushContent(registry, 'app', imageOf());
  const events = await collectNow(registry);
  expect(events.filter(({ type }) => type === 'garbage')).toHaveLength(3);
  expect((await tagsOf(registry, 'app')).length).toBe(1);
});

test.each([
  [{ tags: ['sha256-*'], keep: { last: 1 } }, /^rule 0 for tags names "sha256-\*", but no rule applies/],
  [{ tags: ['v*'], keep: { tags: ['*.sig', '*.att', 'v1'] } }, /names "\*\.sig", "\*\.att", but/],
])('a rule that names signatures brings a warning: %j', async (rule, message) => {
  const warnings: string[] = [];
  await applyRetention(createMemoryRegistry(), { tags: [rule] }, { onWarning: (text) => warnings.push(text) });
  expect(warnings).toEqual([expect.stringMatching(message)]);
});

test('retention continues with the other repositories if one cannot be read', async () => {
  const registry = createMemoryRegistry();
  for (const name of ['a', 'b', 'c']) await pushContent(registry, name, imageOf(), { tags: ['v1'] });
  const deleteTag: Registry['deleteTag'] = async (name, ...rest) => {
    if (name === 'b') throw new RegistryError('UNAVAILABLE', 'b is damaged');
    return registry.deleteTag(name, ...rest);
  };
  const failures: string[] = [];
  const rules = { tags: [{ keep: { last: 0 } }] };
  const report = await applyRetention({ ...registry, deleteTag }, rules, {
    onFailure: ({ repository, error }) => failures.push(`${repository}: ${String(error)}`),
  });
  expect(failures).toEqual([expect.stringMatching(/^b: .*b is damaged/)]);
  expect(report.tags).toBe(2);
  await expect(applyRetention({ ...registry, deleteTag }, rules)).rejects.toThrow('b is damaged');
});
