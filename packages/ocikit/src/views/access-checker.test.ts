import { describe, expect, test } from 'vitest';

import { collect, historyOf, identityOf, maintenanceOf, RegistryError } from '../model/index.ts';
import type { CallOptions, Digest, PushedManifest, PushManifestOptions, Registry } from '../model/index.ts';
import { createMemoryRegistry } from '../stores/memory/index.ts';
import { methods } from '../testing/cases/index.ts';
import { imageOf, pushContent, randomBlob } from '../testing/index.ts';

import { accessChecker } from './index.ts';
import type { AccessRequest } from './index.ts';

const image = imageOf();
const { digest } = image.descriptor;
const blob = image.blobs[0]?.descriptor.digest as Digest;
const context = { identity: identityOf('alice'), requestId: '7' };

async function filled(): Promise<Registry> {
  const inside = createMemoryRegistry();
  for (const name of ['a', 'b', 'c']) await pushContent(inside, name, image, { tags: ['v1'] });
  return inside;
}

/** A view that records the requests for access, and refuses some of them. */
function recording(
  inside: Registry,
  refuses: (request: AccessRequest) => Error | undefined = () => undefined,
): { view: Registry; asked: AccessRequest[] } {
  const asked: AccessRequest[] = [];
  const view = accessChecker(inside, async (request) => {
    await new Promise(setImmediate);
    asked.push(request);
    const refusal = refuses(request);
    if (refusal !== undefined) throw refusal;
  });
  return { view, asked };
}

describe('each call asks for its kind of access, once, with the context of its caller:', () => {
  const kinds: Record<string, AccessRequest['access']> = {
    getBlob: 'read',
    'getBlob with a range': 'read',
    resolveBlob: 'read',
    getManifest: 'read',
    resolveManifest: 'read',
    getTag: 'read',
    resolveTag: 'read',
    pushBlob: 'write',
    startUpload: 'write',
    resumeUpload: 'write',
    pushManifest: 'write',
    'pushManifest with a digest': 'write',
    deleteBlob: 'delete',
    deleteManifest: 'delete',
    deleteTag: 'delete',
    tags: 'list',
    referrers: 'list',
  };
  const single = methods.filter(({ name }) => name !== 'mountBlob' && name !== 'repositories');

  test('every method has a kind', () => {
    expect(single.map(({ name }) => name).toSorted()).toEqual(Object.keys(kinds).toSorted());
  });

  test.each(single)('$name', async ({ name, call }) => {
    const refusal = new RegistryError('UNAUTHORIZED', 'who are you?', { challenge: 'Basic realm="x"' });
    const inside = await filled();
    const { view, asked } = recording(inside, () => refusal);
    // The contract's calls have no context of their own.
    const withContext = new Proxy(view, {
      get(target, key) {
        const method = target[key as 'getTag'] as unknown;
        if (typeof method !== 'function') return method;
        return (...args: unknown[]): unknown => {
          const last = args.at(-1) as CallOptions;
          return Reflect.apply(method, target, [...args.slice(0, -1), { ...last, context }]) as unknown;
        };
      },
    });
    await expect(call(withContext, { repository: 'a', digest, tag: 'v1' })).rejects.toBe(refusal);
    expect(asked).toEqual([{ repository: 'a', access: kinds[name], context }]);
    expect((await inside.resolveTag('a', 'v1')).digest).toBe(digest);
  });
});

describe('a push that sets tags', () => {
  const next = imageOf();
  const push = (view: Registry, tags: string[], options: PushManifestOptions = {}): Promise<PushedManifest> =>
    view.pushManifest('a', next.bytes, next.mediaType, { context, ...options, tags });

  /** A registry with the tags `v1` and `v2` of two manifests, and a third manifest to push. */
  async function withTags(): Promise<{ inside: Registry; other: Digest }> {
    const inside = await filled();
    const other = imageOf();
    await pushContent(inside, 'a', other, { tags: ['v2'] });
    for (const { descriptor, bytes } of next.blobs) await inside.pushBlob('a', descriptor, bytes);
    return { inside, other: other.descriptor.digest };
  }

  test('asks for overwrite for each tag that points elsewhere, with its digest', async () => {
    const { inside, other } = await withTags();
    const { view, asked } = recording(inside);
    await push(view, ['fresh', 'v1', 'v2', 'v1']);
    expect(asked).toEqual([
      { repository: 'a', access: 'write', context },
      { repository: 'a', access: 'overwrite', tag: 'v1', digest, context },
      { repository: 'a', access: 'overwrite', tag: 'v2', digest: other, context },
    ]);
    asked.length = 0;
    await push(view, ['v1', 'v2']);
    expect(asked).toEqual([{ repository: 'a', access: 'write', context }]);
  });

  test('sets no tag if one of them may not be overwritten', async () => {
    const { inside } = await withTags();
    const refusal = new RegistryError('DENIED', 'v2 stays');
    const { view } = recording(inside, ({ tag }) => (tag === 'v2' ? refusal : undefined));
    await expect(push(view, ['fresh', 'v1', 'v2'])).rejects.toBe(refusal);
    expect(await collect(inside.tags('a'))).toEqual(['v1', 'v2']);
    expect((await inside.resolveTag('a', 'v1')).digest).toBe(digest);
    await push(view, ['fresh', 'v1']);
    expect((await inside.resolveTag('a', 'v1')).digest).toBe(next.descriptor.digest);
  });

  test.each([
    ['is set', undefined],
    ['is moved', 'v1'],
  ])('judges the tag again if it %s between the check and the push', async (_how, before) => {
    const { inside, other } = await withTags();
    const tag = before ?? 'fresh';
    let moves = 0;
    const racing: Registry = {
      ...inside,
      async pushManifest(repository, bytes, mediaType, options) {
        // Another client is faster, once.
        if (moves++ === 0) {
          const { bytes: own, descriptor } = await inside.getManifest('a', other);
          await inside.pushManifest('a', own, descriptor.mediaType, { tags: [tag] });
        }
        return inside.pushManifest(repository, bytes, mediaType, options);
      },
    };
    const refusal = new RegistryError('DENIED', 'this one stays');
    const { view, asked } = recording(racing, (request) => (request.digest === other ? refusal : undefined));
    await expect(push(view, [tag])).rejects.toBe(refusal);
    expect(asked.at(-1)).toEqual({ repository: 'a', access: 'overwrite', tag, digest: other, context });
    expect((await inside.resolveTag('a', tag)).digest).toBe(other);
    moves = 0;
    const allowed = recording(racing);
    await push(allowed.view, [tag]);
    expect((await inside.resolveTag('a', tag)).digest).toBe(next.descriptor.digest);
  });

  test("keeps its caller's own condition", async () => {
    const { inside, other } = await withTags();
    const { view } = recording(inside);
    const wrong = [null, other, new Map([['v1', other]]), new Map([['fresh', other]])];
    for (const ifTag of wrong) {
      await expect(push(view, ['v1', 'fresh'], { ifTag })).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });
    }
    await push(view, ['v1', 'fresh'], { ifTag: new Map([['v1', digest]]) });
    expect((await inside.resolveTag('a', 'fresh')).digest).toBe(next.descriptor.digest);
  });

  test('does not fail however many others push the same tag', async () => {
    const { inside } = await withTags();
    const { view } = recording(inside);
    const images = Array.from({ length: 20 }, () => imageOf());
    for (const { blobs } of images) {
      for (const { descriptor, bytes } of blobs) await inside.pushBlob('a', descriptor, bytes);
    }
    const sent = images.map(({ bytes, mediaType }) => view.pushManifest('a', bytes, mediaType, { tags: ['busy'] }));
    await Promise.all(sent);
    const pushed = images.map(({ descriptor }) => descriptor.digest);
    expect(pushed).toContain((await inside.resolveTag('a', 'busy')).digest);
  });
});

test('the history of tags asks for history', async () => {
  const { view, asked } = recording(await filled());
  const found = historyOf(view);
  if (found === undefined) throw new Error('it has no history');
  expect(await collect(found.moves('a', { context }))).toHaveLength(1);
  expect(asked).toEqual([{ repository: 'a', access: 'history', context }]);
});

describe('a mount', () => {
  test('asks for write on its target, then for read on its source', async () => {
    const { view, asked } = recording(await filled());
    expect((await view.mountBlob('a', 'd', blob, { context })).descriptor?.digest).toBe(blob);
    expect(asked).toEqual([
      { repository: 'd', access: 'write', context },
      { repository: 'a', access: 'read', context },
    ]);
  });

  test('fails if the write is refused, and asks nothing more', async () => {
    const refusal = new RegistryError('DENIED', 'not here');
    const { view, asked } = recording(await filled(), () => refusal);
    await expect(view.mountBlob('a', 'd', blob)).rejects.toBe(refusal);
    expect(asked).toHaveLength(1);
  });

  test.each(['DENIED', 'UNAUTHORIZED', 'NAME_UNKNOWN'] as const)(
    'begins an upload if the read is refused as %s, whether the blob is there or not',
    async (code) => {
      const { view } = recording(await filled(), ({ access }) =>
        access === 'read' ? new RegistryError(code, 'no') : undefined,
      );
      for (const of of [blob, randomBlob().descriptor.digest]) {
        for (const from of ['a', 'none', undefined, (): boolean => true]) {
          const { upload } = await view.mountBlob(from, 'd', of);
          expect(upload?.size).toBe(0);
          await upload?.cancel();
        }
      }
    },
  );

  test('fails if the check of its source fails in another way', async () => {
    const reason = new RegistryError('UNAVAILABLE', 'the database is down');
    const { view } = recording(await filled(), ({ access }) => (access === 'read' ? reason : undefined));
    for (const from of ['a', undefined]) await expect(view.mountBlob(from, 'd', blob)).rejects.toBe(reason);
  });

  test('without a source finds only repositories that the caller may read, and asks about no others', async () => {
    const inside = await filled();
    const { view, asked } = recording(inside, ({ repository, access }) =>
      access === 'read' && repository !== 'c' ? new RegistryError('DENIED', 'no') : undefined,
    );
    expect((await view.mountBlob(undefined, 'd', blob, { context })).descriptor?.digest).toBe(blob);
    expect(asked).toEqual([
      { repository: 'd', access: 'write', context },
      ...['a', 'b', 'c'].map((repository) => ({ repository, access: 'read', context })),
    ]);
    await inside.deleteBlob('c', blob);
    await inside.deleteBlob('d', blob);
    expect((await view.mountBlob(undefined, 'd', blob)).descriptor).toBeUndefined();
  });
});

describe('the list of repositories', () => {
  test('asks for list without a repository, then leaves out the repositories that must not be shown', async () => {
    const { view, asked } = recording(await filled(), ({ repository, access }) =>
      access === 'show' && repository === 'b' ? new RegistryError('DENIED', 'no') : undefined,
    );
    expect(await collect(view.repositories({ context, limit: 2 }))).toEqual(['a', 'c']);
    expect(asked[0]).toEqual({ repository: undefined, access: 'list', context });
    expect(asked.slice(1).map(({ repository, access }) => [repository, access])).toEqual([
      ['a', 'show'],
      ['b', 'show'],
      ['c', 'show'],
    ]);
  });

  test('fails as the check does', async () => {
    const refusal = new RegistryError('DENIED', 'no list for you');
    const { view } = recording(await filled(), ({ repository }) => (repository === undefined ? refusal : undefined));
    await expect(collect(view.repositories())).rejects.toBe(refusal);
    const broken = new Error('the database is down');
    const other = recording(await filled(), ({ repository }) => (repository === 'b' ? broken : undefined));
    await expect(collect(other.view.repositories())).rejects.toBe(broken);
  });
});

test('an upload is checked again whenever it is resumed', async () => {
  let may = true;
  const { view } = recording(await filled(), () => (may ? undefined : new RegistryError('DENIED', 'no longer')));
  const upload = await view.startUpload('a');
  await upload.append(new Uint8Array(3));
  may = false;
  await expect(view.resumeUpload('a', upload.id)).rejects.toMatchObject({ code: 'DENIED' });
});

test('the check is asked about well-formed names only', async () => {
  const { view, asked } = recording(await filled());
  for (const name of ['', '../a', 'A', 'a//b', 'a/']) {
    await expect(view.resolveTag(name, 'v1')).rejects.toMatchObject({ code: 'NAME_INVALID' });
    await expect(view.mountBlob(name, 'a', blob)).rejects.toMatchObject({ code: 'NAME_INVALID' });
  }
  expect(new Set(asked.map(({ repository }) => repository))).toEqual(new Set(['a']));
});

test('maintenance is checked too', async () => {
  const { view, asked } = recording(await filled());
  const maintained = maintenanceOf(view);
  if (maintained === undefined) throw new Error('it has maintenance');
  await collect(maintained.manifests('a', { context }));
  await collect(maintained.blobs('a'));
  await collect(maintained.uploads('a'));
  await maintained.verify('a', digest, { context });
  await maintained.lease('a', [digest]);
  await maintained.removeUnused('a', digest, { unusedSince: new Date(0) });
  expect(asked.map(({ access }) => access)).toEqual(['list', 'list', 'list', 'read', 'write', 'delete']);
  expect([asked[0]?.context, asked[3]?.context, asked[4]?.context]).toEqual([context, context, undefined]);
});
