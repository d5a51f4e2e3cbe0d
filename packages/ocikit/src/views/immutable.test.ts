import { beforeEach, describe, expect, test } from 'vitest';

import { createClient } from '../http/client/index.ts';
import { createServer } from '../http/server/index.ts';
import type { Middleware } from '../http/server/index.ts';
import { collect, mediaTypes } from '../model/index.ts';
import type { Digest, PushedManifest, Registry } from '../model/index.ts';
import { createMemoryRegistry } from '../stores/memory/index.ts';
import { artifactOf, imageOf, indexOf, pushContent, randomBlob } from '../testing/index.ts';
import type { TestManifest } from '../testing/index.ts';

import { immutable } from './index.ts';

const denied = { code: 'DENIED' };
const images = Array.from({ length: 40 }, () => imageOf({ layers: [] }));

let inside: Registry;

beforeEach(() => {
  inside = createMemoryRegistry();
});

const tagWith = (registry: Registry, image: TestManifest, ...tags: string[]): Promise<PushedManifest> =>
  registry.pushManifest('app', image.bytes, image.mediaType, { tags });

async function at(tag: string, registry = inside): Promise<Digest | undefined> {
  return registry.resolveTag('app', tag).then(
    ({ digest }) => digest,
    () => undefined,
  );
}

/** The winner gets its result, and all others the error that the tag is immutable. */
async function race(views: readonly Registry[]): Promise<void> {
  for (const image of images) await pushContent(inside, 'app', image);
  const results = await Promise.allSettled(
    images.map((image, i) => tagWith(views[i % views.length] ?? inside, image, 'v1')),
  );
  const winners = images.filter((_image, i) => results[i]?.status === 'fulfilled');
  expect(winners.map(({ descriptor }) => descriptor.digest)).toEqual([await at('v1')]);
  const others = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  expect(others).toHaveLength(images.length - 1);
  for (const error of others) expect(error).toMatchObject(denied);
}

/** A registry at the other end of a connection; without conditions, as most are. */
function remote(...middleware: Middleware[]): Registry {
  const server = createServer(inside, { middleware });
  return createClient({
    host: 'registry.test',
    scheme: 'http',
    fetch: (url, init) => server.fetch(new Request(url, { ...init, duplex: 'half' } as RequestInit)),
  });
}
const ignoringConditions: Middleware = (exchange, next) =>
  next({ ...exchange, header: (name) => (name.startsWith('if-') ? undefined : exchange.header(name)) });

describe('exactly one of many pushes of the same tag at once wins', () => {
  test('through one view', () => race([immutable(inside)]));

  test('through many views, which share nothing but the store', () => race(images.map(() => immutable(inside))));

  test('through many views of a client', () => race(images.map(() => immutable(remote()))));

  test('through one view of a client of a registry without conditions', () =>
    race([immutable(remote(ignoringConditions))]));
});

test('the same content can be pushed by many callers at once, and all pushes succeed', async () => {
  const [image = imageOf()] = images;
  await pushContent(inside, 'app', image);
  const pushed = await Promise.all(images.map(() => tagWith(immutable(inside), image, 'v1', 'v2')));
  expect(new Set(pushed.map(({ tags }) => tags.join()))).toEqual(new Set(['v1,v2']));
});

test('a push that bypasses a view of a registry without conditions is found by the check after the view’s push', async () => {
  const [one = imageOf(), two = imageOf()] = images;
  for (const image of [one, two]) await pushContent(inside, 'app', image);
  let isFirst = true;
  const view = immutable(
    remote(ignoringConditions, async (exchange, next) => {
      const reply = await next(exchange);
      if (exchange.method === 'PUT' && isFirst) {
        isFirst = false;
        await tagWith(inside, two, 'v1');
      }
      return reply;
    }),
  );
  await expect(tagWith(view, one, 'v1')).rejects.toMatchObject(denied);
  expect(await at('v1')).toBe(two.descriptor.digest);
});

describe('only some tags', () => {
  const [one = imageOf(), two = imageOf()] = images;
  const rules = { 'a pattern': /^v\d/g, 'a function': (tag: string) => tag.startsWith('v') };

  test.each(Object.entries(rules))('are immutable by %s: the others can be moved and deleted', async (_rule, tags) => {
    const view = immutable(inside, { tags });
    for (const image of [one, two]) await pushContent(inside, 'app', image);
    // More than once: a pattern may remember where it was.
    for (const image of [one, two, one]) await tagWith(view, image, 'latest');
    await tagWith(view, one, 'v1');
    for (let time = 0; time < 3; time++) await expect(tagWith(view, two, 'v1')).rejects.toMatchObject(denied);
    await expect(tagWith(view, two, 'latest', 'v1')).rejects.toMatchObject(denied);
    expect([await at('latest'), await at('v1')]).toEqual([one.descriptor.digest, one.descriptor.digest]);
    await view.deleteTag('app', 'latest');
    await expect(view.deleteTag('app', 'v1')).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  test('are set together with others', async () => {
    const view = immutable(inside, { tags: /^v/ });
    for (const image of [one, two]) await pushContent(inside, 'app', image);
    expect((await tagWith(view, one, 'latest', 'v1')).tags).toEqual(['latest', 'v1']);
    expect((await tagWith(view, two, 'v2', 'latest')).tags).toEqual(['v2', 'latest']);
    expect([await at('v1'), await at('v2'), await at('latest')]).toEqual([
      one.descriptor.digest,
      two.descriptor.digest,
      two.descriptor.digest,
    ]);
  });

  test('keep the content that they reach, and no other content', async () => {
    const view = immutable(inside, { tags: /^v/ });
    await pushContent(inside, 'app', two, { tags: ['latest'] });
    await pushContent(inside, 'app', one, { tags: ['v1'] });
    await view.deleteManifest('app', two.descriptor.digest);
    await expect(view.deleteManifest('app', one.descriptor.digest)).rejects.toMatchObject(denied);
  });
});

describe('content that an immutable tag reaches cannot be deleted:', () => {
  const layer = randomBlob();
  const subject = imageOf({ layers: [] });
  const child = imageOf({ layers: [layer] });
  const nested = indexOf([child]);
  const signature = artifactOf({ artifactType: 'application/vnd.example.a', subject: subject.descriptor });
  const root = indexOf([nested]);

  test.each<[string, TestManifest | typeof layer]>([
    ['an index', root],
    ['an index in an index', nested],
    ['an image in that', child],
    ['a layer of that', layer],
    ['a signature', signature],
    ['what the signature is for', subject],
  ])('%s', async (_what, { descriptor }) => {
    const view = immutable(inside);
    await pushContent(view, 'app', subject);
    await pushContent(view, 'app', signature, { tags: ['signature'] });
    await pushContent(view, 'app', root, { tags: ['v1'] });
    const { digest } = descriptor;
    const deleted =
      descriptor === layer.descriptor ? view.deleteBlob('app', digest) : view.deleteManifest('app', digest);
    await expect(deleted).rejects.toMatchObject(denied);
    if (descriptor === layer.descriptor) await inside.resolveBlob('app', digest);
    else await inside.resolveManifest('app', digest);
  });

  test('also if it is tagged while it is being deleted', async () => {
    const view = immutable(inside);
    for (let time = 0; time < 20; time++) {
      const image = imageOf({ layers: [], annotations: { time: String(time) } });
      await pushContent(view, 'app', image);
      const { digest } = image.descriptor;
      const [deleted, tagged] = await Promise.allSettled([
        view.deleteManifest('app', digest),
        tagWith(view, image, `t${time}`),
      ]);
      expect(tagged.status).toBe('fulfilled');
      // It was deleted before it was pushed again, or not at all.
      expect(await at(`t${time}`), deleted.status).toBe(digest);
    }
  });
});

test('the type of a manifest that an immutable tag reaches stays, whether it is pushed with that tag or without', async () => {
  const view = immutable(inside);
  const config = randomBlob();
  await view.pushBlob('app', config.descriptor, config.bytes);
  // It does not say itself what it is.
  const bytes = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, config: config.descriptor }));
  await view.pushManifest('app', bytes, mediaTypes.imageManifest, { tags: ['v1'] });
  for (const tags of [[], ['v1'], ['v2']]) {
    await expect(view.pushManifest('app', bytes, mediaTypes.dockerManifest, { tags })).rejects.toMatchObject(denied);
  }
  expect((await inside.resolveTag('app', 'v1')).mediaType).toBe(mediaTypes.imageManifest);
});

test('a condition of the caller counts first', async () => {
  const view = immutable(inside);
  const [one = imageOf(), two = imageOf()] = images;
  for (const image of [one, two]) await pushContent(inside, 'app', image);
  const push = (image: TestManifest, ifTag: Digest | null): Promise<unknown> =>
    view.pushManifest('app', image.bytes, image.mediaType, { tags: ['v1'], ifTag });
  await expect(push(one, two.descriptor.digest)).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });
  await push(one, null);
  await expect(push(one, null)).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });
  await expect(push(two, two.descriptor.digest)).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });
  await expect(push(two, one.descriptor.digest)).rejects.toMatchObject(denied);
  await push(one, one.descriptor.digest);
});

test('a push that waits for its turn ends with its signal', async () => {
  let go = (): void => undefined;
  const waiting = new Promise<void>((resolve) => (go = resolve));
  const slow: Registry = {
    ...inside,
    pushManifest: async (...args) => {
      await waiting;
      return inside.pushManifest(...args);
    },
  };
  const view = immutable(slow);
  const [one = imageOf(), two = imageOf()] = images;
  for (const image of [one, two]) await pushContent(inside, 'app', image);
  const first = tagWith(view, one, 'v1');
  const controller = new AbortController();
  const reason = new Error('no longer wanted');
  const second = view.pushManifest('app', two.bytes, two.mediaType, { tags: ['v1'], signal: controller.signal });
  await new Promise(setImmediate);
  controller.abort(reason);
  await expect(second).rejects.toBe(reason);
  go();
  await first;
  await expect(tagWith(view, two, 'v1')).rejects.toMatchObject(denied);
  expect(await collect(view.tags('app'))).toEqual(['v1']);
});
