import { describe, expect, test } from 'vitest';

import { failureOf } from '../../../../test/transport-to.ts';
import { startServer } from '../../../../test/start-server.ts';
import { collect } from '../../../model/index.ts';
import type { Registry } from '../../../model/index.ts';
import { createMemoryRegistry } from '../../../stores/memory/index.ts';
import { imageOf, pushImage } from '../../../testing/index.ts';
import type { TestManifest } from '../../../testing/index.ts';
import type { Middleware } from '../../server/index.ts';

import { createClient } from '../index.ts';
import type { ClientOptions } from '../index.ts';

/** Conditions are ignored, as by most registries. */
const ignoringConditions: Middleware = (exchange, next) =>
  next({ ...exchange, header: (name) => (name.startsWith('if-') ? undefined : exchange.header(name)) });

/** The parameter `tag` is ignored as well. */
const ignoringTags: Middleware = async (exchange, next) => {
  const reply = await next({ ...exchange, query: '' });
  const { 'OCI-Tag': _tags, ...headers } = reply.headers;
  return { ...reply, headers };
};

interface Setting {
  store: Registry;
  client: Registry;
  first: TestManifest;
  next: TestManifest;
  seen: string[];
}

async function setUp(middleware: Middleware[], options: Partial<ClientOptions> = {}): Promise<Setting> {
  const store = createMemoryRegistry();
  const seen: string[] = [];
  const record: Middleware = (exchange, next) => {
    seen.push(`${exchange.method} ${exchange.path}`.replace('/v2/a/manifests/', ''));
    return next(exchange);
  };
  const { url } = await startServer(store, { middleware: [record, ...middleware] });
  const client = createClient({ host: new URL(url).host, backOff: { first: 1 }, ...options });
  const first = await pushImage(store, 'a', { tags: ['v1'] });
  const next = imageOf();
  for (const { descriptor, bytes } of next.blobs) await store.pushBlob('a', descriptor, bytes);
  return { store, client, first, next, seen };
}

const elsewhere = imageOf().descriptor.digest;

describe.each<[string, Middleware[]]>([
  ['ignores conditions', [ignoringConditions]],
  ['ignores conditions and several tags', [ignoringConditions, ignoringTags]],
  ['judges conditions', []],
])('the condition of a tag, on a registry that %s,', (_, middleware) => {
  test.each([
    ['v1', null],
    ['v1', elsewhere],
    ['v2', elsewhere],
  ])('fails before a push if %s is not at %j, and nothing is stored', async (tag, ifTag) => {
    const { store, client, first, next, seen } = await setUp(middleware);
    const error = await failureOf(client.pushManifest('a', next.bytes, next.mediaType, { tags: [tag], ifTag }));
    expect(error).toMatchObject({ code: 'PRECONDITION_FAILED', status: 412 });
    expect(seen.some((one) => one.startsWith('PUT'))).toBe(false);
    expect((await store.resolveTag('a', 'v1')).digest).toBe(first.descriptor.digest);
    expect(await collect(store.tags('a'))).toEqual(['v1']);
  });

  test('fails if one of several tags has moved', async () => {
    const { store, client, first, next } = await setUp(middleware);
    const options = { tags: ['v2', 'v1'], ifTag: null };
    expect(await failureOf(client.pushManifest('a', next.bytes, next.mediaType, options))).toMatchObject({
      code: 'PRECONDITION_FAILED',
      detail: { tag: 'v1', expected: null, found: first.descriptor.digest },
    });
    expect(await collect(store.tags('a'))).toEqual(['v1']);
  });

  test('lets a push through if it holds', async () => {
    const { store, client, first, next } = await setUp(middleware);
    const { bytes, mediaType, descriptor } = next;
    await client.pushManifest('a', bytes, mediaType, { tags: ['v1'], ifTag: first.descriptor.digest });
    await client.pushManifest('a', bytes, mediaType, { tags: ['v2', 'v3'], ifTag: null });
    for (const tag of ['v1', 'v2', 'v3']) expect((await store.resolveTag('a', tag)).digest).toBe(descriptor.digest);
  });

  test('fails before a deletion, and lets it through if it holds', async () => {
    const { store, client, first, seen } = await setUp(middleware);
    expect(await failureOf(client.deleteTag('a', 'v1', { ifTag: elsewhere }))).toMatchObject({
      code: 'PRECONDITION_FAILED',
      detail: { tag: 'v1', expected: elsewhere, found: first.descriptor.digest },
    });
    expect(seen).toEqual(['HEAD v1']);
    await client.deleteTag('a', 'v1', { ifTag: first.descriptor.digest });
    expect(await collect(store.tags('a'))).toEqual([]);
  });
});

describe('a tag that moves beside a push', () => {
  /** Another client moves the tag after the answer to the push. */
  const movingAfter =
    (move: () => Promise<unknown>): Middleware =>
    async (exchange, next) => {
      const reply = await next(exchange);
      if (exchange.method === 'PUT' && exchange.path.endsWith('/v1')) await move();
      return reply;
    };

  test.each([
    ['fails the push if the registry ignores conditions', [ignoringConditions], 'PRECONDITION_FAILED'],
    ['does not fail the push if the registry judges conditions', [], 'pushed'],
  ])('%s', async (_, middleware, outcome) => {
    let move = (): Promise<unknown> => Promise.resolve();
    const { store, client, first, next } = await setUp([movingAfter(() => move()), ...middleware]);
    const { bytes, mediaType } = first;
    move = () => store.pushManifest('a', bytes, mediaType, { tags: ['v1'] });
    const pushed = client
      .pushManifest('a', next.bytes, next.mediaType, { tags: ['v1'], ifTag: first.descriptor.digest })
      .then(() => 'pushed');
    expect(await pushed.catch((error: unknown) => (error as { code: string }).code)).toBe(outcome);
  });
});

describe('the option `atomic`', () => {
  const atomic = { tagConditions: 'atomic' } as const;

  test('refuses to change tags where the registry ignores conditions', async () => {
    const { store, client, first, next } = await setUp([ignoringConditions], atomic);
    const { digest: ifTag } = first.descriptor;
    const push = client.pushManifest('a', next.bytes, next.mediaType, { tags: ['v1'], ifTag });
    const error = await failureOf(push);
    expect(error).toMatchObject({ code: 'UNSUPPORTED', message: expect.stringContaining('tagConditions') as unknown });
    expect(await failureOf(client.deleteTag('a', 'v1', { ifTag }))).toMatchObject({ code: 'UNSUPPORTED' });
    expect((await store.resolveTag('a', 'v1')).digest).toBe(ifTag);
  });

  test('refuses several tags where the registry sets them one by one', async () => {
    const { store, client, next } = await setUp([ignoringTags], atomic);
    const push = client.pushManifest('a', next.bytes, next.mediaType, { tags: ['v2', 'v3'], ifTag: null });
    expect(await failureOf(push)).toMatchObject({ code: 'UNSUPPORTED' });
    expect(await collect(store.tags('a'))).toEqual(['v1']);
  });

  test('changes tags where the registry judges conditions', async () => {
    const { store, client, first, next } = await setUp([], atomic);
    const { bytes, mediaType } = next;
    await client.pushManifest('a', bytes, mediaType, { tags: ['v1'], ifTag: first.descriptor.digest });
    await client.pushManifest('a', bytes, mediaType, { tags: ['v2', 'v3'], ifTag: null });
    const again = client.pushManifest('a', first.bytes, mediaType, { tags: ['v2'], ifTag: null });
    expect(await failureOf(again)).toMatchObject({ code: 'PRECONDITION_FAILED' });
    await client.deleteTag('a', 'v1', { ifTag: next.descriptor.digest });
    expect(await collect(store.tags('a'))).toEqual(['v2', 'v3']);
  });
});
