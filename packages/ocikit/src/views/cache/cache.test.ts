import { afterEach, describe, expect, test, vi } from 'vitest';

import { eventually } from '../../../test/eventually.ts';
import {
  collect,
  digestOf,
  isRegistryError,
  maintenanceOf,
  partialRegistry,
  RegistryError,
} from '../../model/index.ts';
import type { CallContext, Digest, ErrorCode, Registry } from '../../model/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { imageOf, indexOf, pushContent, randomBlob } from '../../testing/index.ts';

import { cache } from './cache.ts';
import type { CacheRegistry } from './cache.ts';
import type { CacheEvent, CacheOptions } from './shared/index.ts';
import { upstreams } from './upstream/index.ts';
import type { Upstreams } from './upstream/index.ts';

const closing: CacheRegistry[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(closing.splice(0).map((each) => each.close()));
});

/** A registry that records its calls, and fails if the test says so. */
interface Watched {
  registry: Registry;
  calls: string[];
  /** Every call fails with this, as long as it is set. */
  trouble: (() => unknown) | undefined;
  contexts: (CallContext | undefined)[];
}

function watched(inner: Registry): Watched {
  const self: Watched = { registry: inner, calls: [], trouble: undefined, contexts: [] };
  const methods = ['getBlob', 'getManifest', 'getTag', 'resolveBlob', 'resolveManifest', 'resolveTag'] as const;
  const lists = ['repositories', 'tags', 'referrers'] as const;
  const note = (method: string, args: readonly unknown[]): void => {
    self.calls.push(method);
    self.contexts.push((args.at(-1) as { context?: CallContext } | undefined)?.context);
  };
  const replaced = [
    ...methods.map((method) => [
      method,
      async (...args: unknown[]) => {
        note(method, args);
        if (self.trouble !== undefined) throw self.trouble();
        return Reflect.apply(inner[method], inner, args) as unknown;
      },
    ]),
    ...lists.map((method) => [
      method,
      async function* list(...args: unknown[]) {
        note(method, args);
        if (self.trouble !== undefined) throw self.trouble();
        yield* Reflect.apply(inner[method], inner, args) as AsyncIterable<unknown>;
      },
    ]),
  ];
  self.registry = { ...inner, ...(Object.fromEntries(replaced) as object) };
  return self;
}

interface Scene {
  origin: Registry;
  upstream: Watched;
  store: Registry;
  registry: CacheRegistry;
  events: CacheEvent[];
}

function scene(options: CacheOptions = {}, of: (upstream: Registry) => Registry | Upstreams = (one) => one): Scene {
  const origin = createMemoryRegistry();
  const upstream = watched(origin);
  const store = createMemoryRegistry({ sparse: true });
  const events: CacheEvent[] = [];
  const registry = cache(of(upstream.registry), store, { onEvent: (event) => events.push(event), ...options });
  closing.push(registry);
  return { origin, upstream, store, registry, events };
}

const down = (): RegistryError => new RegistryError('UNAVAILABLE', 'down, as the test wants it');

/** Stops the clock of the cache. It returns a function that lets milliseconds pass. */
function stopClock(): (milliseconds: number) => void {
  let now = performance.now();
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  return (milliseconds) => {
    now += milliseconds;
  };
}

async function codeOf(call: Promise<unknown>): Promise<ErrorCode | 'none'> {
  try {
    await call;
    return 'none';
  } catch (error) {
    if (isRegistryError(error)) return error.code;
    throw error;
  }
}

describe('content by its digest', () => {
  test('is fetched once, kept, and then served without a request to the upstream', async () => {
    const { origin, upstream, registry, events } = scene();
    const image = imageOf();
    await pushContent(origin, 'app', image);
    const { digest } = image.descriptor;
    for (let i = 0; i < 3; i++) {
      expect((await registry.getManifest('app', digest)).bytes).toEqual(image.bytes);
      for (const { descriptor, bytes } of image.blobs) {
        expect(await (await registry.getBlob('app', descriptor.digest)).bytes()).toEqual(bytes);
      }
    }
    expect(upstream.calls.toSorted()).toEqual(['getManifest', ...image.blobs.map(() => 'getBlob')].toSorted());
    upstream.trouble = down;
    expect((await registry.resolveManifest('app', digest)).size).toBe(image.bytes.length);
    expect(events.filter(({ type }) => type === 'kept')).toHaveLength(1 + image.blobs.length);
  });

  test('is fetched once for all callers at the same time', async () => {
    const { origin, upstream, registry } = scene();
    const image = imageOf();
    const blob = randomBlob(3_000_000);
    await pushContent(origin, 'app', image);
    await origin.pushBlob('app', blob.descriptor, blob.bytes);
    const pulls = Array.from({ length: 40 }, async () => {
      const { bytes } = await registry.getManifest('app', image.descriptor.digest);
      // A caller that changes its bytes changes no other caller's.
      bytes.fill(0);
      const content = await registry.getBlob('app', blob.descriptor.digest);
      expect(digestOf(await content.bytes())).toBe(blob.descriptor.digest);
    });
    await Promise.all(pulls);
    expect(upstream.calls.toSorted()).toEqual(['getBlob', 'getManifest']);
    expect((await registry.getManifest('app', image.descriptor.digest)).bytes).toEqual(image.bytes);
  });

  test('is not fetched for a second repository if its upstream has it there too', async () => {
    const { origin, upstream, registry, events } = scene();
    const { descriptor, bytes } = randomBlob(100_000);
    for (const name of ['a', 'b']) await origin.pushBlob(name, descriptor, bytes);
    await pushContent(origin, 'c', imageOf());
    const { digest } = descriptor;
    await (await registry.getBlob('a', digest)).bytes();
    await Promise.all(
      Array.from({ length: 5 }, async () => {
        expect(digestOf(await (await registry.getBlob('b', digest)).bytes())).toBe(digest);
      }),
    );
    expect(upstream.calls).toEqual(['getBlob', 'resolveBlob']);
    expect(events.filter(({ type }) => type === 'shared')).toHaveLength(1);
    // A repository that does not have the blob does not get it from another one.
    expect(await codeOf(registry.getBlob('c', digest))).toBe('BLOB_UNKNOWN');
  });

  test('is resolved without being fetched', async () => {
    const { origin, upstream, registry, store } = scene();
    const { descriptor, bytes } = randomBlob(1000);
    await origin.pushBlob('app', descriptor, bytes);
    expect((await registry.resolveBlob('app', descriptor.digest)).size).toBe(1000);
    expect(upstream.calls).toEqual(['resolveBlob']);
    expect(await codeOf(store.resolveBlob('app', descriptor.digest))).toBe('NAME_UNKNOWN');
  });

  test('is asked for again only after a while if it is unknown', async () => {
    const pass = stopClock();
    const { origin, upstream, registry } = scene({ negativeAge: 60 });
    const { descriptor, bytes } = randomBlob(1000);
    for (let i = 0; i < 5; i++) {
      expect(await codeOf(registry.getBlob('app', descriptor.digest))).toBe('NAME_UNKNOWN');
      expect(await codeOf(registry.getManifest('app', descriptor.digest))).toBe('NAME_UNKNOWN');
      expect(await codeOf(registry.getTag('app', 'v1'))).toBe('NAME_UNKNOWN');
    }
    expect(upstream.calls).toEqual(['getBlob', 'getManifest', 'getTag']);
    await origin.pushBlob('app', descriptor, bytes);
    pass(60);
    expect(await (await registry.getBlob('app', descriptor.digest)).bytes()).toEqual(bytes);
  });

  test.each(['UNAUTHORIZED', 'DENIED', 'UNAVAILABLE', 'UNKNOWN'] as const)(
    'that the upstream answers with %s is not taken for unknown',
    async (code) => {
      const { origin, upstream, registry } = scene({}, (one) => one);
      const { descriptor, bytes } = randomBlob(1000);
      await origin.pushBlob('app', descriptor, bytes);
      upstream.trouble = () => new RegistryError(code, 'as the test wants it');
      const expected = code === 'UNKNOWN' ? 'UNAVAILABLE' : code;
      expect(await codeOf(registry.getBlob('app', descriptor.digest))).toBe(expected);
      expect(await codeOf(registry.resolveBlob('app', descriptor.digest))).toBe(expected);
      upstream.trouble = undefined;
      expect(await (await registry.getBlob('app', descriptor.digest)).bytes()).toEqual(bytes);
    },
  );
});

describe('a tag', () => {
  test('is answered from the store for a while, and then asked for again, without fetching a kept manifest', async () => {
    const pass = stopClock();
    const { origin, upstream, registry } = scene({ maxAge: 80 });
    const [first, second] = [imageOf(), imageOf()];
    await pushContent(origin, 'app', first, { tags: ['v1'] });
    expect((await registry.getTag('app', 'v1')).bytes).toEqual(first.bytes);
    await pushContent(origin, 'app', second, { tags: ['v1'] });
    expect((await registry.getTag('app', 'v1')).bytes).toEqual(first.bytes);
    expect(upstream.calls).toEqual(['getTag']);
    pass(100);
    expect((await registry.getTag('app', 'v1')).bytes).toEqual(second.bytes);
    expect(upstream.calls).toEqual(['getTag', 'resolveTag', 'getManifest']);
    pass(100);
    expect((await registry.getTag('app', 'v1')).bytes).toEqual(second.bytes);
    // One request was enough, and its answer holds as long as the first one.
    expect((await registry.resolveTag('app', 'v1')).digest).toBe(second.descriptor.digest);
    expect(upstream.calls).toEqual(['getTag', 'resolveTag', 'getManifest', 'resolveTag']);
  });

  test('is asked for once at a time, for any number of callers', async () => {
    const { origin, upstream, registry } = scene({ maxAge: 0 });
    await pushContent(origin, 'app', imageOf(), { tags: ['v1'] });
    await registry.getTag('app', 'v1');
    await Promise.all(Array.from({ length: 30 }, () => registry.getTag('app', 'v1')));
    expect(upstream.calls.filter((call) => call === 'resolveTag')).toHaveLength(1);
    expect(upstream.calls.filter((call) => call === 'getTag')).toHaveLength(1);
  });

  test('that was only resolved is kept when its manifest arrives', async () => {
    const pass = stopClock();
    const { origin, upstream, registry } = scene({ maxAge: 50 });
    const image = imageOf();
    await pushContent(origin, 'app', image, { tags: ['v1'] });
    // As Docker does: HEAD by the tag, GET by the digest.
    const { digest } = await registry.resolveTag('app', 'v1');
    expect(upstream.calls).toEqual(['resolveTag']);
    await registry.getManifest('app', digest);
    upstream.trouble = down;
    pass(60);
    expect((await registry.getTag('app', 'v1')).bytes).toEqual(image.bytes);
  });

  test('is answered stale while the upstream is down, but not for ever', async () => {
    const pass = stopClock();
    const { origin, upstream, registry, events } = scene({ maxAge: 0, maxStale: 150 });
    const image = imageOf();
    await pushContent(origin, 'app', image, { tags: ['v1'] });
    await registry.getTag('app', 'v1');
    upstream.trouble = down;
    expect((await registry.getTag('app', 'v1')).bytes).toEqual(image.bytes);
    expect((await registry.resolveTag('app', 'v1')).digest).toBe(image.descriptor.digest);
    expect(await collect(registry.tags('app'))).toEqual(['v1']);
    expect(await collect(registry.repositories())).toEqual(['app']);
    expect(events.filter(({ type }) => type === 'stale')).toHaveLength(2);
    // It has just failed: the second one did not wait for it again.
    expect(upstream.calls.filter((call) => call === 'resolveTag')).toHaveLength(1);
    expect(await codeOf(registry.getTag('app', 'v2'))).toBe('UNAVAILABLE');
    pass(151);
    expect(await codeOf(registry.getTag('app', 'v1'))).toBe('UNAVAILABLE');
  });

  test('is answered stale if the upstream takes too long', async () => {
    const { origin, upstream, store, registry } = scene({ maxAge: 0, patience: 50 });
    const image = imageOf();
    await pushContent(origin, 'app', image, { tags: ['v1'] });
    await registry.getTag('app', 'v1');
    let asked = 0;
    upstream.registry.resolveTag = () => {
      asked++;
      return new Promise(() => undefined);
    };
    stopClock();
    const slow = cache(upstream.registry, store, { maxAge: 0, patience: 50 });
    closing.push(slow);
    expect((await slow.getTag('app', 'v1')).bytes).toEqual(image.bytes);
    // It has just been slow: the second caller does not wait for it again.
    expect((await slow.getTag('app', 'v1')).bytes).toEqual(image.bytes);
    expect(asked).toBe(1);
  });

  test('that the upstream has deleted is deleted in the store', async () => {
    const { origin, registry, store } = scene({ maxAge: 0, negativeAge: 0 });
    await pushContent(origin, 'app', imageOf(), { tags: ['v1', 'v2'] });
    await registry.getTag('app', 'v1');
    await origin.deleteTag('app', 'v1');
    expect(await codeOf(registry.getTag('app', 'v1'))).toBe('MANIFEST_UNKNOWN');
    expect(await codeOf(store.resolveTag('app', 'v1'))).toBe('MANIFEST_UNKNOWN');
    expect(await collect(registry.tags('app'))).toEqual(['v2']);
  });

  test('that the upstream refuses to show is not answered from the store', async () => {
    const { origin, upstream, registry } = scene({ maxAge: 0 });
    await pushContent(origin, 'app', imageOf(), { tags: ['v1'] });
    await registry.getTag('app', 'v1');
    upstream.trouble = () => new RegistryError('DENIED', 'no longer');
    expect(await codeOf(registry.getTag('app', 'v1'))).toBe('DENIED');
  });
});

describe('an upstream that limits requests', () => {
  test('gets none for as long as it says, while kept content is served', async () => {
    const pass = stopClock();
    const { origin, upstream, registry } = scene({ maxAge: 0 });
    const image = imageOf();
    await pushContent(origin, 'app', image, { tags: ['v1'] });
    await registry.getTag('app', 'v1');
    upstream.trouble = () => new RegistryError('TOOMANYREQUESTS', 'slowly', { retryAfter: 0.3 });
    upstream.calls.length = 0;
    expect((await registry.getTag('app', 'v1')).bytes).toEqual(image.bytes);
    expect(upstream.calls).toHaveLength(1);
    for (let i = 0; i < 5; i++) {
      expect((await registry.getTag('app', 'v1')).bytes).toEqual(image.bytes);
      const asked = registry.getBlob('app', randomBlob().descriptor.digest);
      await expect(asked).rejects.toMatchObject({ code: 'TOOMANYREQUESTS', retryAfter: 1 });
      expect(await codeOf(registry.getTag('app', 'new'))).toBe('TOOMANYREQUESTS');
    }
    expect(upstream.calls).toHaveLength(1);
    upstream.trouble = undefined;
    pass(299);
    await registry.getTag('app', 'v1');
    expect(upstream.calls).toHaveLength(1);
    pass(1);
    await registry.getTag('app', 'v1');
    expect(upstream.calls).toHaveLength(2);
  });
});

describe('kept content', () => {
  test('is never content with a wrong digest, a wrong type or without a manifest', async () => {
    const image = imageOf();
    const other = imageOf();
    const { digest } = image.descriptor;
    const answers = [
      { descriptor: image.descriptor, bytes: other.bytes },
      { descriptor: { ...image.descriptor, mediaType: 'application/vnd.oci.image.index.v1+json' }, bytes: image.bytes },
      { descriptor: { ...image.descriptor, mediaType: 'text/html' }, bytes: image.bytes },
    ];
    for (const answer of answers) {
      const lying = partialRegistry({ getManifest: async () => answer, getTag: async () => answer });
      const store = createMemoryRegistry({ sparse: true });
      const registry = cache(lying, store);
      expect(await codeOf(registry.getManifest('app', digest))).toBe('UNAVAILABLE');
      expect(await codeOf(registry.getTag('app', 'v1'))).toBe('UNAVAILABLE');
      expect(await collect(store.repositories())).toEqual([]);
    }
    const page = new TextEncoder().encode('<html>please log in</html>');
    const descriptor = { mediaType: 'text/html', digest: digestOf(page), size: page.length };
    const portal = cache(
      partialRegistry({ getTag: async () => ({ descriptor, bytes: page }) }),
      createMemoryRegistry(),
    );
    expect(await codeOf(portal.getTag('app', 'v1'))).toBe('UNAVAILABLE');
  });

  test('is not needed for serving: content that the store refuses is served too', async () => {
    const { origin, registry } = scene();
    const image = imageOf();
    await pushContent(origin, 'app', image, { tags: ['v1'] });
    const events: CacheEvent[] = [];
    const full = { ...createMemoryRegistry(), startUpload: () => Promise.reject(new Error('the disk is full')) };
    const over = cache(registry, full, { onEvent: (event) => events.push(event) });
    closing.push(over);
    expect((await over.getTag('app', 'v1')).bytes).toEqual(image.bytes);
    for (const { descriptor, bytes } of image.blobs) {
      expect(await (await over.getBlob('app', descriptor.digest)).bytes()).toEqual(bytes);
    }
    expect(events.filter(({ type }) => type === 'unkept').length).toBeGreaterThan(1);
  });

  test('that is damaged is fetched again', async () => {
    const { origin, upstream, registry, store, events } = scene();
    const { descriptor, bytes } = randomBlob(20_000);
    await origin.pushBlob('app', descriptor, bytes);
    await (await registry.getBlob('app', descriptor.digest)).bytes();
    // As a store that verifies what it reads finds it.
    vi.spyOn(store, 'getBlob').mockImplementationOnce(async (repository, digest) => {
      const content = await createMemoryRegistry()
        .getBlob(repository, digest)
        .catch(() => undefined);
      expect(content).toBeUndefined();
      return damagedContent(digest, bytes);
    });
    await expect((await registry.getBlob('app', descriptor.digest)).bytes()).rejects.toMatchObject({
      code: 'DIGEST_INVALID',
    });
    expect(events.at(-1)?.type).toBe('corrupt');
    await eventually(async () => expect(await codeOf(store.resolveBlob('app', descriptor.digest))).not.toBe('none'));
    upstream.calls.length = 0;
    expect(await (await registry.getBlob('app', descriptor.digest)).bytes()).toEqual(bytes);
    expect(upstream.calls).toEqual(['getBlob']);
  });
});

async function damagedContent(digest: Digest, bytes: Uint8Array): ReturnType<Registry['getBlob']> {
  const { createContent } = await import('../../model/index.ts');
  return createContent({
    descriptor: { mediaType: 'application/octet-stream', digest, size: bytes.length },
    source: {
      async *iterate() {
        yield bytes.subarray(0, 1000);
        throw new RegistryError('DIGEST_INVALID', 'it is damaged');
      },
    },
  });
}

describe('several upstreams', () => {
  const hosts = (): { scene: Scene; hub: Watched; other: Watched } => {
    const hub = watched(createMemoryRegistry());
    const other = watched(createMemoryRegistry());
    const made = scene({}, () => upstreams({ 'docker.io': hub.registry, 'localhost:5000': other.registry }));
    return { scene: made, hub, other };
  };

  test('are told apart by ns and by the beginning of the name, in the store as well', async () => {
    const { scene: made, hub, other } = hosts();
    const { registry, store } = made;
    const [ours, theirs] = [imageOf(), imageOf()];
    await pushContent(hub.registry, 'library/app', ours, { tags: ['v1'] });
    await pushContent(other.registry, 'library/app', theirs, { tags: ['v1'] });
    const tag = async (name: string, namespace?: string): Promise<Uint8Array> =>
      (await registry.getTag(name, 'v1', namespace === undefined ? {} : { context: { namespace } })).bytes;
    expect(await tag('library/app')).toEqual(ours.bytes);
    expect(await tag('app')).toEqual(ours.bytes);
    expect(await tag('docker.io/app')).toEqual(ours.bytes);
    expect(await tag('app', 'docker.io')).toEqual(ours.bytes);
    expect(await tag('app', 'registry-1.docker.io')).toEqual(ours.bytes);
    expect(await tag('library/app', 'localhost:5000')).toEqual(theirs.bytes);
    expect(await tag('localhost_5000/library/app')).toEqual(theirs.bytes);
    expect(await codeOf(tag('app', 'localhost:5000'))).toBe('NAME_UNKNOWN');
    expect(await codeOf(tag('library/app', 'quay.io'))).toBe('NAME_UNKNOWN');
    const listed = ['docker.io/library/app', 'localhost_5000/library/app'];
    expect(await collect(store.repositories())).toEqual(listed);
    expect(await collect(registry.repositories())).toEqual(listed);
    expect(await collect(registry.repositories({ startAfter: 'docker.io/library/app' }))).toEqual(listed.slice(1));
    expect(await collect(registry.repositories({ startAfter: 'e' }))).toEqual(listed.slice(1));
    expect(await collect(registry.repositories({ startAfter: 'docker.io/a', limit: 1 }))).toEqual(listed.slice(0, 1));
    expect(hub.calls.filter((call) => call === 'getTag')).toHaveLength(1);
    // They are the registries that were meant.
    expect([...hub.contexts, ...other.contexts].every((context) => context?.namespace === undefined)).toBe(true);
  });

  test('need a default that is one of them, or none', async () => {
    const registry = cache(
      upstreams({ 'ghcr.io': createMemoryRegistry() }, { default: false }),
      createMemoryRegistry(),
    );
    expect(await codeOf(registry.getTag('app', 'v1'))).toBe('NAME_UNKNOWN');
    expect(() => upstreams({ 'ghcr.io': createMemoryRegistry() }, { default: 'quay.io' })).toThrow(TypeError);
    expect(() => upstreams({})).toThrow(TypeError);
  });

  test('that do not list their repositories are listed by their kept content', async () => {
    const { scene: made, hub, other } = hosts();
    await pushContent(hub.registry, 'library/app', imageOf(), { tags: ['v1'] });
    await pushContent(hub.registry, 'library/unseen', imageOf(), { tags: ['v1'] });
    await made.registry.getTag('app', 'v1');
    hub.trouble = () => new RegistryError('UNAUTHORIZED', 'Docker Hub has no catalog');
    await pushContent(other.registry, 'a', imageOf(), { tags: ['v1'] });
    expect(await collect(made.registry.repositories())).toEqual(['docker.io/library/app', 'localhost_5000/a']);
  });
});

describe('a local registry', () => {
  test('takes pushes, hides upstream content of the same name, and is never compared with the upstream', async () => {
    const local = createMemoryRegistry();
    const { origin, upstream, registry, store } = scene({ local, maxAge: 0 });
    const [theirs, ours] = [imageOf(), imageOf()];
    await pushContent(origin, 'app', theirs, { tags: ['v1', 'v3'] });
    await pushContent(registry, 'app', ours, { tags: ['v1', 'v2'] });
    upstream.calls.length = 0;
    expect((await registry.getTag('app', 'v1')).bytes).toEqual(ours.bytes);
    expect(upstream.calls).toEqual([]);
    expect((await registry.getTag('app', 'v3')).bytes).toEqual(theirs.bytes);
    expect(await collect(registry.tags('app'))).toEqual(['v1', 'v2', 'v3']);
    expect(await collect(registry.tags('app', { startAfter: 'v1', limit: 1 }))).toEqual(['v2']);
    expect(await codeOf(store.resolveTag('app', 'v2'))).toBe('MANIFEST_UNKNOWN');
    // A caller that names the other registry gets that one's content.
    const context = { namespace: 'docker.io' };
    expect((await registry.getTag('app', 'v1', { context })).bytes).toEqual(theirs.bytes);
    expect(await collect(registry.tags('app', { context }))).toEqual(['v1', 'v3']);
  });

  test('can be pushed to while the upstream is down, or does not let the cache look', async () => {
    for (const code of ['UNAVAILABLE', 'DENIED', 'UNAUTHORIZED'] as const) {
      const { upstream, registry } = scene({ local: createMemoryRegistry() });
      upstream.trouble = () => new RegistryError(code, 'as the test wants it');
      const image = imageOf();
      const [layer] = image.blobs;
      expect(await codeOf(registry.resolveBlob('new', layer?.descriptor.digest ?? digestOf(image.bytes)))).toMatch(
        /UNKNOWN$/,
      );
      await pushContent(registry, 'new', image, { tags: ['v1'] });
      expect((await registry.getTag('new', 'v1')).bytes).toEqual(image.bytes);
      expect(await collect(registry.tags('new'))).toEqual(['v1']);
      expect(await collect(registry.repositories())).toEqual(['new']);
    }
  });

  test('gets content that a pushed manifest names and only the upstream has', async () => {
    const local = createMemoryRegistry();
    const { origin, registry } = scene({ local });
    const child = imageOf();
    await pushContent(origin, 'app', child);
    // A client that checks finds all content, and pushes the index alone.
    await registry.resolveManifest('app', child.descriptor.digest);
    const index = indexOf([child]);
    await registry.pushManifest('app', index.bytes, index.descriptor.mediaType, { tags: ['all'] });
    expect((await local.getManifest('app', child.descriptor.digest)).bytes).toEqual(child.bytes);
    for (const { descriptor } of child.blobs) await local.resolveBlob('app', descriptor.digest);
    const missing = indexOf([imageOf()]);
    const pushed = registry.pushManifest('app', missing.bytes, missing.descriptor.mediaType);
    expect(await codeOf(pushed)).toBe('MANIFEST_BLOB_UNKNOWN');
  });

  test('is needed for pushes', async () => {
    const { registry } = scene();
    const { descriptor, bytes } = randomBlob();
    await expect(registry.pushBlob('app', descriptor, bytes)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('no local registry') as string,
    });
    expect(await codeOf(registry.deleteTag('app', 'v1'))).toBe('UNSUPPORTED');
    expect(maintenanceOf(registry)).toBeUndefined();
  });
});
