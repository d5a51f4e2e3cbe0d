import { describe, expect, test } from 'vitest';

import { createClient } from '../http/client/index.ts';
import { createServer } from '../http/server/index.ts';
import { collect, maintenanceOf, partialRegistry, RegistryError, toWireError } from '../model/index.ts';
import type { Digest, ListOptions, Registry } from '../model/index.ts';
import { createMemoryRegistry } from '../stores/memory/index.ts';
import { methods } from '../testing/cases/index.ts';
import { imageOf, pushContent, randomBlob } from '../testing/index.ts';

import { select } from './index.ts';

const image = imageOf();
const { digest } = image.descriptor;
const notHidden = (name: string): boolean => !name.startsWith('hidden');

async function filled(): Promise<Registry> {
  const inside = createMemoryRegistry();
  for (const name of ['a', 'hidden', 'hidden/b', 'm', 'z']) await pushContent(inside, name, image, { tags: ['v1'] });
  return inside;
}

/** A registry at the other end of a connection, that says in its own words what is unknown. */
function remote(inside: Registry): Registry {
  const server = createServer(inside);
  const asDistribution = (error: unknown): never => {
    if (!(error instanceof RegistryError) || error.code !== 'NAME_UNKNOWN') throw error;
    throw new RegistryError('BLOB_UNKNOWN', 'blob unknown to registry', { detail: error.detail });
  };
  const odd = createServer({
    ...inside,
    getBlob: (repository, of, options) => inside.getBlob(repository, of, options).catch(asDistribution),
  });
  return createClient({
    host: 'registry.test',
    scheme: 'http',
    fetch: (url, init) => (url.includes('/blobs/') ? odd : server).fetch(new Request(url, init)),
  });
}

describe.each<[string, (inside: Registry) => Registry]>([
  ['a store', (inside) => inside],
  ['a client', remote],
])('what is hidden in %s', (_what, reached) => {
  const reading = methods.filter(
    ({ takes, needs, name }) => takes.includes('repository') && !needs.includes('writing') && name !== 'referrers',
  );

  test.each(reading)('answers $name as for a name that does not exist', async ({ call }) => {
    const registry = reached(await filled());
    const told = async (of: Registry, repository: string): Promise<string> => {
      const error: unknown = await call(of, { repository, digest, tag: 'v1' }).catch((caught: unknown) => caught);
      if (!(error instanceof RegistryError)) throw new Error('it was found');
      return JSON.stringify([error.code, error.message, error.detail, toWireError(error)]).replaceAll(repository, '*');
    };
    const view = select(registry, notHidden);
    const expected = await told(registry, 'nobody');
    expect(await told(view, 'nobody')).toBe(expected);
    for (const hidden of ['hidden', 'hidden/b', 'hidden/none']) expect(await told(view, hidden)).toBe(expected);
    expect(await told(view, `hidden/${'x'.repeat(248)}`)).toBe(expected);
  });
});

test('a hidden repository has no referrers, and that is no error', async () => {
  expect(await collect(select(await filled(), notHidden).referrers('hidden', digest))).toEqual([]);
});

test('deleting from a hidden repository answers as for a name that does not exist, and deletes nothing', async () => {
  const inside = await filled();
  const view = select(inside, notHidden);
  const [blob = image] = image.blobs;
  for (const name of ['hidden', 'hidden/none']) {
    const unknown = { code: 'NAME_UNKNOWN', message: `repository ${name} is not known`, detail: { name } };
    await expect(view.deleteBlob(name, blob.descriptor.digest)).rejects.toMatchObject(unknown);
    await expect(view.deleteManifest(name, digest)).rejects.toMatchObject(unknown);
    await expect(view.deleteTag(name, 'v1')).rejects.toMatchObject(unknown);
  }
  expect((await inside.resolveTag('hidden', 'v1')).digest).toBe(digest);
});

test('a store that has a blob under every name gives none of it under a hidden name', async () => {
  const asked: string[] = [];
  const inside = createMemoryRegistry();
  const { descriptor, bytes } = randomBlob();
  await inside.pushBlob('anywhere', descriptor, bytes);
  let cancelled = 0;
  const bucket = partialRegistry({
    async getBlob(repository, of, options) {
      asked.push(repository);
      const content = await inside.getBlob('anywhere', of, options);
      const cancel = content.cancel.bind(content);
      return Object.assign(content, {
        cancel: () => {
          cancelled++;
          return cancel();
        },
      });
    },
  });
  const view = select(bucket, notHidden);
  await expect(view.getBlob('hidden', descriptor.digest)).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
  expect(asked).toEqual([expect.not.stringContaining('hidden')]);
  expect(cancelled).toBe(1);
});

describe('the list of repositories', () => {
  test.each<[ListOptions, string[]]>([
    [{}, ['a', 'm', 'z']],
    [{ limit: 2 }, ['a', 'm']],
    [{ limit: 0 }, []],
    [{ startAfter: 'a', limit: 1 }, ['m']],
    [{ startAfter: 'hidden' }, ['m', 'z']],
  ])('with %j leaves out what is hidden before it counts', async (options, expected) => {
    expect(await collect(select(await filled(), notHidden).repositories(options))).toEqual(expected);
  });

  test('is read no further than its reader asks for', async () => {
    let read = 0;
    const endless = partialRegistry({
      async *repositories() {
        for (;;) yield `r${String(++read).padStart(9, '0')}`;
      },
    });
    const view = select(endless, async (name) => name.endsWith('5'));
    expect(await collect(view.repositories({ limit: 3 }))).toEqual(['r000000005', 'r000000015', 'r000000025']);
    expect(read).toBe(25);
  });

  test('ends with its signal while nothing is shown', async () => {
    const controller = new AbortController();
    const reason = new Error('no longer wanted');
    const endless = partialRegistry({
      async *repositories() {
        for (let i = 0; ; i++) yield `r${i}`;
      },
    });
    let asked = 0;
    const view = select(endless, () => {
      if (++asked === 50) controller.abort(reason);
      return false;
    });
    await expect(collect(view.repositories({ signal: controller.signal }))).rejects.toBe(reason);
    expect(asked).toBe(50);
  });
});

test('an error of the rule is the error of the call', async () => {
  const reason = new RegistryError('UNAVAILABLE', 'the rules cannot be read');
  const view = select(await filled(), () => Promise.reject(reason));
  await expect(view.resolveTag('a', 'v1')).rejects.toBe(reason);
  await expect(view.startUpload('a')).rejects.toBe(reason);
  await expect(collect(view.repositories())).rejects.toBe(reason);
  await expect(view.mountBlob(undefined, 'a', image.blobs[0]?.descriptor.digest as Digest)).rejects.toBe(reason);
});

test('the rule is asked about well-formed names only', async () => {
  const asked: string[] = [];
  const view = select(await filled(), (name) => asked.push(name) > 0);
  for (const name of ['', '../a', 'A', 'a//b']) {
    await expect(view.resolveTag(name, 'v1')).rejects.toMatchObject({ code: 'NAME_INVALID' });
    await expect(view.startUpload(name)).rejects.toMatchObject({ code: 'NAME_INVALID' });
    await expect(view.mountBlob(name, 'a', digest)).rejects.toMatchObject({ code: 'NAME_INVALID' });
  }
  expect(new Set(asked)).toEqual(new Set(['a']));
});

test('maintenance knows nothing of hidden repositories', async () => {
  const inside = await filled();
  const maintained = maintenanceOf(select(inside, notHidden));
  if (maintained === undefined) throw new Error('it has maintenance');
  const unknown = { code: 'NAME_UNKNOWN', message: 'repository hidden is not known' };
  await expect(collect(maintained.manifests('hidden'))).rejects.toMatchObject(unknown);
  await expect(collect(maintained.blobs('hidden'))).rejects.toMatchObject(unknown);
  expect(await collect(maintained.uploads('hidden'))).toEqual([]);
  expect(await maintained.verify('hidden', digest)).toBe('missing');
  expect(await maintained.removeUnused('hidden', digest, { unusedSince: new Date() })).toBe(false);
  expect(await maintained.usage()).toMatchObject({ repositories: 3, manifests: 1, blobs: image.blobs.length });
});
