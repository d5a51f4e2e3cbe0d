import { describe, expect, expectTypeOf, test } from 'vitest';

import { collect, identityOf, maintenanceOf, partialRegistry } from '../../model/index.ts';
import type { CallOptions, Maintenance } from '../../model/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { imageOf, pushContent } from '../../testing/index.ts';

import { lists, reads } from './forward.ts';
import { deletes, mapHistory, mapMaintenance, mapRepository, pushes, rule } from './map-repository.ts';
import type { Destination, RepositoryCall, RepositoryRules } from './map-repository.ts';

const tagLists = ['tags', 'referrers'] as const;

/** The same rule for each method. */
function rulesOf(of: (call: RepositoryCall) => Destination): RepositoryRules {
  return {
    ...rule(of, ...reads, ...pushes, ...deletes, ...tagLists, 'history.moves'),
    ...rule(of, 'maintenance.manifests', 'maintenance.blobs', 'maintenance.uploads', 'maintenance.lease'),
    ...rule(of, 'maintenance.readManifest', 'maintenance.verify'),
    ...rule(of, 'maintenance.removeUnused', 'maintenance.quarantine'),
  };
}

describe('the rules of a view', () => {
  test('are complete only with a rule for each method', () => {
    expectTypeOf<Omit<RepositoryRules, 'getTag'>>().not.toExtend<RepositoryRules>();
    expectTypeOf<Omit<RepositoryRules, 'maintenance.lease'>>().not.toExtend<RepositoryRules>();
    expectTypeOf<Omit<RepositoryRules, 'history.moves'>>().not.toExtend<RepositoryRules>();
    expect(lists).toEqual(['repositories', ...tagLists]);
  });

  test('send each call where they say, with changed options and errors', async () => {
    const registry = createMemoryRegistry();
    const image = imageOf();
    await pushContent(registry, 'inside/app', image, { tags: ['v1'] });
    const seen: (CallOptions | undefined)[] = [];
    const view = mapRepository(
      rulesOf(({ repository }) => ({
        registry,
        repository: `inside/${repository}`,
        error: () => new Error('changed'),
        options(options) {
          seen.push(options);
          return options;
        },
      })),
    );
    const context = { identity: identityOf('me') };
    expect(await view.resolveTag('app', 'v1', { context })).toMatchObject({ digest: image.descriptor.digest });
    expect(await collect(view.tags('app'))).toEqual(['v1']);
    await expect(view.resolveTag('other', 'v1')).rejects.toThrow('changed');
    expect(seen).toEqual([{ context }, undefined, undefined]);
  });

  test('refuse a call with their own error, which stays as it is', async () => {
    const refusal = new Error('refused');
    const rules = rulesOf(() => {
      throw refusal;
    });
    const { getTag, tags } = mapRepository(rules);
    await expect(getTag('app', 'v1')).rejects.toBe(refusal);
    await expect(collect(tags('app'))).rejects.toBe(refusal);
    await expect(collect(mapHistory(rules).moves('app'))).rejects.toBe(refusal);
  });

  test('give an upload back as it is if they change nothing', async () => {
    const upload = await createMemoryRegistry().startUpload('app');
    const registry = partialRegistry({ startUpload: async () => upload });
    const view = mapRepository(rulesOf(({ repository }) => ({ registry, repository })));
    expect(await view.startUpload('app')).toBe(upload);
  });

  test('change the ids of uploads, also in lists of Maintenance', async () => {
    const registry = createMemoryRegistry();
    const rules = rulesOf(({ repository }) => ({
      registry,
      repository,
      uploadIds: { outside: (id) => `outside ${id}`, inside: (id) => id.replace('outside ', '') },
    }));
    const view = mapRepository(rules);
    const { id } = await view.startUpload('app');
    expect(id).toMatch(/^outside /);
    await (await view.resumeUpload('app', id)).append(new Uint8Array(3));
    const inner = maintenanceOf(registry) as Maintenance;
    const maintained = mapMaintenance(rules, {
      repositories: () => registry.repositories(),
      uploads: (options) => inner.uploads(undefined, options),
      orphans: (options) => inner.orphans(options),
      removeOrphan: (digest, options) => inner.removeOrphan(digest, options),
    });
    const [listed] = await collect(maintained.uploads('app'));
    expect(listed).toMatchObject({ size: 3, repository: 'app' });
    expect(listed?.id).toMatch(/^outside /);
  });
});
