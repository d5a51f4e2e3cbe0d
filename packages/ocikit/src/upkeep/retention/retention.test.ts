import { setTimeout as pause } from 'node:timers/promises';

import { describe, expect, test } from 'vitest';

import { collect, maintenance, maintenanceOf, partialRegistry } from '../../model/index.ts';
import type { Maintenance, Registry } from '../../model/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { artifactOf, imageOf, indexOf, pushContent } from '../../testing/index.ts';

import { applyRetention, carryOutRetention, collectGarbage, planRetention } from '../index.ts';
import type { RetentionEvent, RetentionRules, RetentionStep } from '../index.ts';

import { stores } from '../../../test/stores.ts';

/** Pushes an image for each tag, so that their times differ. */
async function pushTags(registry: Registry, repository: string, ...tags: string[]): Promise<void> {
  for (const tag of tags) {
    await pushContent(registry, repository, imageOf(), { tags: [tag] });
    await pause(5);
  }
}

const tagsOf = (registry: Registry, repository: string): Promise<string[]> => collect(registry.tags(repository));
const week = 7 * 24 * 60 * 60 * 1000;

/** The times of what a registry has, as if some of it were old. */
function aged(registry: Registry, age: (tag: string | undefined) => { created?: number; used?: number }): Registry {
  const inner = maintenanceOf(registry);
  if (inner === undefined) throw new Error('it has no maintenance');
  const manifests: Maintenance['manifests'] = async function* (repository, options) {
    for await (const manifest of inner.manifests(repository, options)) {
      const { created = 0, used = 0 } = age(manifest.tags[0]);
      const [createdAt, usedAt] = [new Date(Date.now() - created), new Date(Date.now() - used)];
      yield { ...manifest, createdAt, usedAt };
    }
  };
  return { ...registry, [maintenance]: { ...inner, manifests } };
}

describe.each(stores)('in %s', (_name, create) => {
  test('the newest tags of a repository stay, and so do tags with a kept name', async () => {
    const registry = create();
    await pushTags(registry, 'team/app', 'latest', '1', '2', '10', '9', 'v1.0');
    await pushTags(registry, 'team/other', '1', '2', '3');
    const rules = { tags: [{ repositories: ['team/app'], keep: { last: 2, tags: ['v*', 'latest'] } }] };
    const report = await applyRetention(registry, rules);
    expect(report).toEqual({ dryRun: false, tags: 3, manifests: { count: 0, size: 0 }, kept: 0 });
    expect(await tagsOf(registry, 'team/app')).toEqual(['9', 'latest', 'v1.0']);
    expect(await tagsOf(registry, 'team/other')).toEqual(['1', '2', '3']);
  });

  test('the first rule that matches a tag applies, and tags without a rule stay', async () => {
    const registry = create();
    await pushTags(registry, 'app', 'pr-1', 'pr-2', 'pr-3', 'nightly-1', 'nightly-2', 'v1');
    await applyRetention(registry, {
      tags: [
        { tags: ['pr-*'], keep: { last: 1 } },
        { tags: ['*-1', '*-2'], keep: { last: 1 } },
      ],
    });
    expect(await tagsOf(registry, 'app')).toEqual(['nightly-2', 'pr-3', 'v1']);
  });

  test('tags that are neither used nor new go', async () => {
    const registry = create();
    await pushTags(registry, 'app', 'fresh', 'pulled', 'stale');
    const ages = new Map([
      ['pulled', { created: 2 * week, used: 1000 }],
      ['stale', { created: 2 * week, used: 2 * week }],
    ]);
    const old = aged(registry, (tag = '') => ages.get(tag) ?? {});
    await applyRetention(old, { tags: [{ keep: { usedWithin: week } }] });
    expect(await tagsOf(registry, 'app')).toEqual(['fresh', 'pulled']);
    await applyRetention(old, { tags: [{ keep: { createdWithin: week } }] });
    expect(await tagsOf(registry, 'app')).toEqual(['fresh']);
  });

  test('a dry run is the plan, and changes nothing', async () => {
    const registry = create();
    await pushTags(registry, 'app', '1', '2', '3');
    await pushContent(registry, 'app', imageOf());
    await pause(10);
    const rules: RetentionRules = { tags: [{ keep: { last: 1 } }], untagged: [{ keepUsedWithin: 0 }] };
    const events: RetentionEvent[] = [];
    const dry = await applyRetention(registry, rules, { dryRun: true, onEvent: (event) => events.push(event) });
    expect(await tagsOf(registry, 'app')).toEqual(['1', '2', '3']);
    expect(events.map(({ step, outcome }) => [step.type, outcome])).toEqual([
      ['tag', 'done'],
      ['tag', 'done'],
      ['manifest', 'done'],
    ]);
    expect(dry).toMatchObject({ dryRun: true, tags: 2, manifests: { count: 1 } });
    expect(await applyRetention(registry, rules)).toMatchObject({ tags: 2, manifests: { count: 1 } });
  });

  test('a plan can be stored as JSON: a tag that has moved since stays, and missing content is no error', async () => {
    const registry = create();
    await pushTags(registry, 'app', 'a', 'b', 'c');
    const plan = JSON.stringify(await collect(planRetention(registry, { tags: [{ keep: { last: 0 } }] })));
    await pushTags(registry, 'app', 'a');
    await registry.deleteTag('app', 'b');
    const outcomes = new Map<string, string>();
    const onEvent = ({ step, outcome }: RetentionEvent): void => {
      outcomes.set(step.type === 'tag' ? step.tag : step.digest, outcome);
    };
    const report = await carryOutRetention(registry, JSON.parse(plan) as RetentionStep[], { onEvent });
    expect(Object.fromEntries(outcomes)).toEqual({ a: 'kept', b: 'gone', c: 'done' });
    expect(report).toMatchObject({ tags: 1, kept: 1 });
    expect(await tagsOf(registry, 'app')).toEqual(['a']);
  });

  test('unreachable manifests go; children, signatures and signed images of tags stay', async () => {
    const registry = create();
    const [child, alone] = [imageOf(), imageOf()];
    const index = indexOf([child]);
    const signature = artifactOf({ artifactType: 'application/vnd.test', subject: index.descriptor });
    await pushContent(registry, 'app', index, { tags: ['v1'] });
    await pushContent(registry, 'app', signature);
    await pushContent(registry, 'app', alone);
    await pause(10);
    expect(await applyRetention(registry, { untagged: [{ keepUsedWithin: week }] })).toMatchObject({
      manifests: { count: 0 },
    });
    const report = await applyRetention(registry, { untagged: [{ keepUsedWithin: 0 }] });
    expect(report.manifests).toEqual({ count: 1, size: alone.bytes.length });
    await expect(registry.resolveManifest('app', alone.descriptor.digest)).rejects.toThrow('has no manifest');
    for (const { descriptor } of [index, child, signature]) await registry.resolveManifest('app', descriptor.digest);
  });

  test('an untagged index that is used again stays with its children', async () => {
    const registry = create();
    const index = indexOf([indexOf([imageOf()])]);
    await pushContent(registry, 'app', index);
    await pause(10);
    const plan = await collect(planRetention(registry, { untagged: [{ keepUsedWithin: 0 }] }));
    expect(plan).toHaveLength(3);
    await pause(10);
    await registry.resolveManifest('app', index.descriptor.digest);
    expect(await carryOutRetention(registry, plan)).toMatchObject({ manifests: { count: 0 }, kept: 3 });
    expect(
      await carryOutRetention(registry, await collect(planRetention(registry, { untagged: [{ keepUsedWithin: 0 }] }))),
    ).toMatchObject({ kept: 0 });
  });

  test('a manifest that loses its last tag is left to garbage collection', async () => {
    const registry = create();
    await pushTags(registry, 'app', '1', '2');
    await applyRetention(registry, { tags: [{ keep: { last: 1 } }] });
    await pause(10);
    const report = await collectGarbage(registry, { gracePeriod: 0 });
    expect([report.manifests.count, report.blobs.count]).toEqual([1, 2]);
  });
});

test('tags of the same time count in byte order', async () => {
  const registry = createMemoryRegistry();
  await pushContent(registry, 'app', imageOf(), { tags: ['a', 'c', 'b'] });
  await applyRetention(registry, { tags: [{ keep: { last: 2 } }] });
  expect(await tagsOf(registry, 'app')).toEqual(['b', 'c']);
});

test.each<[string, RetentionRules]>([
  ['that says nothing that it keeps', { tags: [{ keep: {} }] }],
  ['that keeps fewer than none', { tags: [{ keep: { last: -1 } }] }],
  ['whose time is no number', { tags: [{ keep: { usedWithin: Number.NaN } }] }],
  ['for untagged manifests without a time', { untagged: [{} as { keepUsedWithin: number }] }],
])('a rule %s is refused before anything goes', async (_what, rules) => {
  const registry = createMemoryRegistry();
  await pushTags(registry, 'app', 'a', 'b');
  await expect(applyRetention(registry, rules)).rejects.toThrow(TypeError);
  expect(await tagsOf(registry, 'app')).toEqual(['a', 'b']);
});

test('immutable tags are not deleted', async () => {
  const registry = createMemoryRegistry({ immutableTags: true });
  await pushTags(registry, 'app', 'a');
  await expect(applyRetention(registry, { tags: [{ keep: { last: 0 } }] })).rejects.toMatchObject({
    code: 'UNSUPPORTED',
  });
});

test('a registry without maintenance is refused', async () => {
  await expect(applyRetention(partialRegistry({}), {})).rejects.toMatchObject({ code: 'UNSUPPORTED' });
});
