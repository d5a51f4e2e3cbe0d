import { describe, expect, test } from 'vitest';

import { collect, maintenanceOf, partialRegistry, RegistryError } from '../model/index.ts';
import type { ListOptions, Registry } from '../model/index.ts';
import { createMemoryRegistry } from '../stores/memory/index.ts';
import { methods } from '../testing/cases/index.ts';
import { imageOf, pushContent, pushImage, randomBlob } from '../testing/index.ts';

import { route } from './index.ts';

const image = imageOf();
const { digest } = image.descriptor;

async function filled(...names: string[]): Promise<Registry> {
  const registry = createMemoryRegistry();
  for (const name of names) await pushImage(registry, name, { tags: ['v1'] });
  return registry;
}

describe('a table', () => {
  test.each([
    ['team', 'team'],
    ['team/app', 'team'],
    ['team/app/x', 'app'],
    ['team/app/x/y', 'app'],
    ['team/apple', 'team'],
    ['teams', 'rest'],
    ['team-2/app', 'rest'],
    ['other', 'rest'],
  ])('sends %s to %s: the longest beginning in whole components counts', async (name, expected) => {
    const members = { team: createMemoryRegistry(), app: createMemoryRegistry(), rest: createMemoryRegistry() };
    const view = route({ '': members.rest, team: members.team, 'team/app/x': members.app });
    await pushContent(view, name, image, { tags: ['v1'] });
    for (const [member, registry] of Object.entries(members)) {
      expect(await collect(registry.repositories())).toEqual(member === expected ? [name] : []);
    }
  });

  test('has names of repositories or the empty name as keys', () => {
    for (const prefix of ['/', 'team/', '../a', 'A']) {
      expect(() => route({ [prefix]: createMemoryRegistry() })).toThrow(
        expect.objectContaining({ code: 'NAME_INVALID' }),
      );
    }
  });
});

test('a function is asked about well-formed names only, and may be asynchronous', async () => {
  const asked: string[] = [];
  const member = await filled('a');
  const view = route(async (name) => {
    asked.push(name);
    return name === 'a' ? member : undefined;
  });
  expect((await view.resolveTag('a', 'v1')).size).toBeGreaterThan(0);
  await expect(view.resolveTag('../a', 'v1')).rejects.toMatchObject({ code: 'NAME_INVALID' });
  expect(asked).toEqual(['a']);
});

describe('a repository that no member has', () => {
  const view = route({ team: createMemoryRegistry() });
  const named = methods.filter(({ takes, name }) => takes.includes('repository') && name !== 'referrers');
  test.each(named)('$name', async ({ name, needs, call }) => {
    const writes = needs.includes('writing') && !name.startsWith('delete');
    await expect(call(view, { repository: 'other', digest, tag: 'v1' })).rejects.toMatchObject({
      code: writes ? 'DENIED' : 'NAME_UNKNOWN',
      detail: { name: 'other' },
    });
  });

  test('has no referrers, and that is no error', async () => {
    expect(await collect(view.referrers('other', digest))).toEqual([]);
  });
});

describe('a mount', () => {
  test('from another registry begins an upload', async () => {
    const [a, b] = [createMemoryRegistry(), createMemoryRegistry()];
    const view = route({ a, b });
    const { descriptor, bytes } = randomBlob();
    await view.pushBlob('a/x', descriptor, bytes);
    // The other one has a repository of that name, which is not routed to it.
    await b.pushBlob('a/x', descriptor, bytes);
    for (const from of ['a/x', undefined, (): boolean => true, 'nowhere']) {
      const { upload } = await view.mountBlob(from, 'b/y', descriptor.digest);
      expect(upload?.size).toBe(0);
      await upload?.cancel();
    }
    expect((await view.mountBlob('a/x', 'a/y', descriptor.digest)).descriptor).toMatchObject(descriptor);
    expect((await view.mountBlob(undefined, 'a/z', descriptor.digest)).descriptor).toMatchObject(descriptor);
  });

  test('is refused if no member has its target', async () => {
    const view = route({ a: createMemoryRegistry() });
    await expect(view.mountBlob('a', 'b', digest)).rejects.toMatchObject({ code: 'DENIED' });
  });
});

describe('the list of repositories', () => {
  const table = async (): Promise<Registry> =>
    route({ '': await filled('a', 'm', 'team/hidden', 'z'), team: await filled('a', 'team', 'team/app', 'zz') });

  test.each<[ListOptions, string[]]>([
    [{}, ['a', 'm', 'team', 'team/app', 'z']],
    [{ limit: 3 }, ['a', 'm', 'team']],
    [{ limit: 0 }, []],
    [{ startAfter: 'm', limit: 2 }, ['team', 'team/app']],
    [{ startAfter: 'team/app' }, ['z']],
  ])('with %j has each from where it is routed to', async (options, expected) => {
    expect(await collect((await table()).repositories(options))).toEqual(expected);
  });

  test('lists a registry once, however often it is in the table', async () => {
    const member = await filled('a', 'b/x');
    let lists = 0;
    const counting: Registry = {
      ...member,
      repositories(options) {
        lists++;
        return member.repositories(options);
      },
    };
    expect(await collect(route({ '': counting, b: counting }).repositories())).toEqual(['a', 'b/x']);
    expect(lists).toBe(1);
  });

  test('reads each member’s list no further than needed, and closes it', async () => {
    const read = { a: 0, b: 0 };
    let left = 0;
    const endless = (letter: 'a' | 'b'): Registry =>
      partialRegistry({
        async *repositories() {
          try {
            for (;;) yield `${letter}/${String(++read[letter]).padStart(9, '0')}`;
          } finally {
            left++;
          }
        },
      });
    const view = route({ a: endless('a'), b: endless('b') });
    expect(await collect(view.repositories({ limit: 3 }))).toHaveLength(3);
    expect(read.a).toBeLessThanOrEqual(4);
    expect(read.b).toBe(1);
    expect(left).toBe(2);
  });

  test('fails if a member’s list fails: a short list would be taken for the complete one', async () => {
    const reason = new RegistryError('UNAVAILABLE', 'not now');
    const failing = partialRegistry({}, { missing: () => reason });
    await expect(collect(route({ '': await filled('a'), b: failing }).repositories())).rejects.toBe(reason);
  });

  test('is UNSUPPORTED for a function without `members`', async () => {
    const member = await filled('a');
    await expect(collect(route(() => member).repositories())).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    expect(await collect(route(() => member, { members: [member, member] }).repositories())).toEqual(['a']);
  });
});

test('maintenance exists if each member has it, and counts the routed repositories', async () => {
  const view = route({ '': await filled('a', 'team/hidden'), team: await filled('team', 'b') });
  const maintained = maintenanceOf(view);
  if (maintained === undefined) throw new Error('it has maintenance');
  expect(await maintained.usage()).toMatchObject({ repositories: 2, manifests: 2 });
  expect(await collect(maintained.manifests('team'))).toHaveLength(1);
  const { descriptor } = await view.getTag('team', 'v1');
  expect(await maintained.verify('team', descriptor.digest)).toBe('ok');
  expect(maintenanceOf(route({ '': createMemoryRegistry(), b: partialRegistry({}) }))).toBeUndefined();
  const nowhere = maintenanceOf(route({ a: createMemoryRegistry() }));
  expect(await nowhere?.verify('b', digest)).toBe('missing');
  expect(await nowhere?.removeUnused('b', digest, { unusedSince: new Date() })).toBe(false);
});
