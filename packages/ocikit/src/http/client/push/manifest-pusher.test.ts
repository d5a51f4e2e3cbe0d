import { afterEach, describe, expect, test } from 'vitest';

import { startServer } from '../../../../test/start-server.ts';
import { collect, mediaTypes } from '../../../model/index.ts';
import type { Descriptor, Registry } from '../../../model/index.ts';
import type { ServeOptions } from '../../../node/index.ts';
import { createMemoryRegistry } from '../../../stores/memory/index.ts';
import { artifactOf, imageOf, indexOf, pushContent, pushImage } from '../../../testing/index.ts';
import type { TestManifest } from '../../../testing/index.ts';
import type { Middleware } from '../../server/index.ts';
import { referrersTag } from '../../wire/index.ts';

import { createClient } from '../client.ts';
import { explain } from '../transport/index.ts';

const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

interface Setting {
  store: Registry;
  registry: Registry;
  /** Another client of the same registry. */
  another: () => Registry;
  seen: string[];
}

async function setUp({ middleware = [], ...options }: ServeOptions = {}): Promise<Setting> {
  const store = createMemoryRegistry();
  const seen: string[] = [];
  const record: Middleware = (exchange, next) => {
    const { method, path, query } = exchange;
    seen.push(`${method} ${path.replace(/^.*\/(?=[^/]+\/[^/]+$)/, '')}${query === '' ? '' : `?${query}`}`);
    return next(exchange);
  };
  const server = await startServer(store, { ...options, middleware: [record, ...middleware] });
  ends.push(() => server.close());
  const another = (): Registry => createClient({ host: new URL(server.url).host, backOff: { first: 5 } });
  return { store, registry: another(), another, seen };
}

async function imageIn(store: Registry): Promise<TestManifest> {
  const image = imageOf();
  for (const { descriptor, bytes } of image.blobs) await store.pushBlob('a/b', descriptor, bytes);
  return image;
}

/** As registries do that know nothing of `tag=`. */
const withoutTagParameters: Middleware = async (exchange, next) => {
  const reply = await next({ ...exchange, query: exchange.query.replaceAll(/&?tag=[^&]*/g, '') });
  const { 'OCI-Tag': _tags, ...headers } = reply.headers;
  return { ...reply, headers };
};

describe('pushing a manifest', () => {
  test('takes one request, whether it has a tag, several or none', async () => {
    const { store, registry, seen } = await setUp();
    const { bytes, mediaType, descriptor } = await imageIn(store);
    const { digest } = descriptor;
    await registry.pushManifest('a/b', bytes, mediaType);
    await registry.pushManifest('a/b', bytes, mediaType, { tags: ['v1'], digest });
    const pushed = await registry.pushManifest('a/b', bytes, mediaType, { tags: ['v2', 'v3', 'v4', 'v2'] });
    expect(pushed).toEqual({ descriptor: { mediaType, digest, size: bytes.length }, tags: ['v2', 'v3', 'v4'] });
    expect(seen).toEqual([
      `PUT manifests/${digest}`,
      'PUT manifests/v1',
      `PUT manifests/${digest}?tag=v2&tag=v3&tag=v4`,
    ]);
    expect(await collect(store.tags('a/b'))).toEqual(['v1', 'v2', 'v3', 'v4']);
  });

  test('sets tags one by one if the registry does not set them together', async () => {
    const { store, registry, seen } = await setUp({ middleware: [withoutTagParameters] });
    const { bytes, mediaType, descriptor } = await imageIn(store);
    await registry.pushManifest('a/b', bytes, mediaType, { tags: ['v1', 'v2', 'v3'] });
    // The second time, the registry is known.
    await registry.pushManifest('a/b', bytes, mediaType, { tags: ['v4', 'v5'] });
    expect(seen).toEqual([
      `PUT manifests/${descriptor.digest}?tag=v1&tag=v2&tag=v3`,
      'PUT manifests/v1',
      'PUT manifests/v2',
      'PUT manifests/v3',
      'PUT manifests/v4',
      'PUT manifests/v5',
    ]);
    expect(await collect(store.tags('a/b'))).toEqual(['v1', 'v2', 'v3', 'v4', 'v5']);
  });

  test('counts the tags that are set by their names', async () => {
    const wrong: Middleware = async (exchange, next) => {
      const reply = await withoutTagParameters(exchange, next);
      // As many as were asked for, but not those.
      return exchange.query === '' ? reply : { ...reply, headers: { ...reply.headers, 'OCI-Tag': 'v4, v4,other' } };
    };
    const { store, registry } = await setUp({ middleware: [wrong] });
    const { bytes, mediaType } = await imageIn(store);
    await registry.pushManifest('a/b', bytes, mediaType, { tags: ['v1', 'v2', 'v3'] });
    expect(await collect(store.tags('a/b'))).toEqual(['v1', 'v2', 'v3']);
  });

  test.each([
    [400, undefined],
    [400, 'MANIFEST_INVALID'],
    [400, 'TAG_INVALID'],
    [400, 'DIGEST_INVALID'],
    [405, 'UNSUPPORTED'],
    [414, undefined],
    [422, undefined],
  ])('sets tags one by one if the registry answers %i (%s) to several', async (status, code) => {
    const body = code === undefined ? '' : JSON.stringify({ errors: [{ code }] });
    const refuse: Middleware = (exchange, next) =>
      exchange.query === ''
        ? next(exchange)
        : Promise.resolve({ status, headers: { 'Content-Length': `${body.length}` }, body });
    const { store, registry } = await setUp({ middleware: [refuse] });
    const { bytes, mediaType } = await imageIn(store);
    await registry.pushManifest('a/b', bytes, mediaType, { tags: ['v1', 'v2'] });
    expect(await collect(store.tags('a/b'))).toEqual(['v1', 'v2']);
  });

  test('is not tried tag by tag if the manifest itself is refused, and its error can be explained', async () => {
    const { registry, seen } = await setUp();
    const { bytes, mediaType, descriptor } = imageOf();
    const error = await registry.pushManifest('a/b', bytes, mediaType, { tags: ['v1', 'v2'] }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'MANIFEST_BLOB_UNKNOWN' });
    expect(seen).toEqual([`PUT manifests/${descriptor.digest}?tag=v1&tag=v2`]);
    expect(String(explain(error))).toContain('PUT');
  });

  test('names a sha512 manifest by its digest, also if it has tags', async () => {
    const { store, registry, seen } = await setUp();
    const image = imageOf({ algorithm: 'sha512' });
    for (const { descriptor, bytes } of image.blobs) await store.pushBlob('a/b', descriptor, bytes);
    const { digest } = image.descriptor;
    await registry.pushManifest('a/b', image.bytes, image.mediaType, { digest, tags: ['v1'] });
    expect(seen).toEqual([`PUT manifests/${digest}?tag=v1`]);
    expect((await store.resolveTag('a/b', 'v1')).digest).toBe(digest);
  });

  test('refuses names that the registry could misread, without a request', async () => {
    const { registry, seen } = await setUp();
    const { bytes } = imageOf();
    const push = (mediaType: string): Promise<unknown> => registry.pushManifest('a/b', bytes, mediaType);
    for (const mediaType of ['', 'json', 'a/b/c']) {
      await expect(push(mediaType)).rejects.toMatchObject({ code: 'UNSUPPORTED_MEDIA_TYPE' });
    }
    const { digest } = imageOf().descriptor;
    const wrong = registry.pushManifest('a/b', bytes, mediaTypes.imageManifest, { digest });
    await expect(wrong).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
    expect(seen).toEqual([]);
  });

  test('under a condition succeeds though the answer was lost, and fails if another client was faster', async () => {
    let lost = 0;
    const lose: Middleware = async (exchange, next) => {
      const reply = await next(exchange);
      if (exchange.method === 'PUT' && lost++ === 0) return { status: 502, headers: { 'Content-Length': '0' } };
      return reply;
    };
    const { store, registry } = await setUp({ middleware: [lose] });
    const { bytes, mediaType, descriptor } = await imageIn(store);
    await registry.pushManifest('a/b', bytes, mediaType, { tags: ['v1'], ifTag: null });
    expect((await store.resolveTag('a/b', 'v1')).digest).toBe(descriptor.digest);
    const other = await imageIn(store);
    const push = registry.pushManifest('a/b', other.bytes, other.mediaType, { tags: ['v1'], ifTag: null });
    await expect(push).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });
  });

  test('fails if the registry names another digest', async () => {
    const { digest } = imageOf().descriptor;
    const lie: Middleware = async (exchange, next) => {
      const reply = await next(exchange);
      return { ...reply, headers: { ...reply.headers, 'Docker-Content-Digest': digest } };
    };
    const { store, registry } = await setUp({ middleware: [lie] });
    const { bytes, mediaType } = await imageIn(store);
    await expect(registry.pushManifest('a/b', bytes, mediaType)).rejects.toMatchObject({ code: 'UNKNOWN' });
  });
});

describe('where there is no API for referrers', () => {
  const type = 'application/vnd.example.signature';

  async function listed(store: Registry, subject: Descriptor): Promise<readonly Descriptor[]> {
    const { bytes, descriptor } = await store.getTag('a/b', referrersTag(subject.digest));
    expect(descriptor.mediaType).toBe(mediaTypes.imageIndex);
    return (JSON.parse(new TextDecoder().decode(bytes)) as { manifests: Descriptor[] }).manifests;
  }

  test('a push lists the manifest under the tag of its subject, with its type and annotations', async () => {
    const { store, registry } = await setUp({ disableReferrersApi: true });
    const { descriptor: subject } = await pushImage(store, 'a/b');
    const signature = artifactOf({ artifactType: type, subject, annotations: { by: 'a test' } });
    const pushed = await pushContent(registry, 'a/b', signature);
    expect(pushed.subject).toBe(subject.digest);
    const entry = { ...signature.descriptor, artifactType: type, annotations: { by: 'a test' } };
    expect(await listed(store, subject)).toEqual([entry]);
    expect(await collect(registry.referrers('a/b', subject.digest))).toEqual([entry]);
    // A second push adds nothing.
    await pushContent(registry, 'a/b', signature);
    expect(await listed(store, subject)).toEqual([entry]);
  });

  test('a deletion takes the manifest off the list, and leaves the others', async () => {
    const { store, registry, another } = await setUp({ disableReferrersApi: true });
    const { descriptor: subject } = await pushImage(store, 'a/b');
    const [gone, kept] = [artifactOf({ artifactType: type, subject }), artifactOf({ artifactType: type, subject })];
    for (const manifest of [gone, kept]) await pushContent(registry, 'a/b', manifest);
    await another().deleteManifest('a/b', gone.descriptor.digest);
    expect((await listed(store, subject)).map(({ digest }) => digest)).toEqual([kept.descriptor.digest]);
    await another().deleteManifest('a/b', kept.descriptor.digest);
    expect(await listed(store, subject)).toEqual([]);
  });

  test('a deletion that fails changes no list', async () => {
    const refuse: Middleware = (exchange, next) =>
      exchange.method === 'DELETE' ? Promise.resolve({ status: 403, headers: {} }) : next(exchange);
    const { store, registry } = await setUp({ disableReferrersApi: true, middleware: [refuse] });
    const { descriptor: subject } = await pushImage(store, 'a/b');
    const signature = artifactOf({ artifactType: type, subject });
    await pushContent(registry, 'a/b', signature);
    const { digest } = signature.descriptor;
    await expect(registry.deleteManifest('a/b', digest)).rejects.toMatchObject({ code: 'DENIED' });
    expect((await listed(store, subject)).length).toBe(1);
    await expect(registry.deleteManifest('a/b', imageOf().descriptor.digest)).rejects.toMatchObject({ code: 'DENIED' });
  });

  test('no entry is lost of many that are pushed at once, by one client and by several', async () => {
    const { store, registry, another } = await setUp({ disableReferrersApi: true });
    const { descriptor: subject } = await pushImage(store, 'a/b');
    const signatures = Array.from({ length: 16 }, () => artifactOf({ artifactType: type, subject }));
    const clients = [registry, another(), another(), another()];
    await Promise.all(signatures.map((one, i) => pushContent(clients[i % 4] ?? registry, 'a/b', one)));
    const digests = (await listed(store, subject)).map(({ digest }) => digest);
    expect(digests.toSorted()).toEqual(signatures.map(({ descriptor }) => descriptor.digest).toSorted());
  });

  test('a registry that does not understand the condition is written to without one', async () => {
    const refuse: Middleware = (exchange, next) =>
      exchange.header('if-match') === undefined
        ? next(exchange)
        : Promise.resolve({ status: 412, headers: { 'Content-Length': '0' } });
    const { store, registry } = await setUp({ disableReferrersApi: true, middleware: [refuse] });
    const { descriptor: subject } = await pushImage(store, 'a/b');
    for (let i = 0; i < 2; i++) await pushContent(registry, 'a/b', artifactOf({ artifactType: type, subject }));
    expect((await listed(store, subject)).length).toBe(2);
  });

  test('a tag that is something else is left alone, and said to be in the way', async () => {
    const { store, registry } = await setUp({ disableReferrersApi: true });
    const { descriptor: subject } = await pushImage(store, 'a/b');
    const other = await pushImage(store, 'a/b', { tags: [referrersTag(subject.digest)] });
    const push = pushContent(registry, 'a/b', artifactOf({ artifactType: type, subject }));
    await expect(push).rejects.toMatchObject({ code: 'MANIFEST_INVALID' });
    expect((await store.resolveTag('a/b', referrersTag(subject.digest))).digest).toBe(other.descriptor.digest);
  });

  test('a registry that takes the tag for the subject itself gets a list all the same', async () => {
    const gitLab: Middleware = async (exchange, next) => {
      const reply = await next(exchange);
      const path = exchange.path.replace(/\/sha256-([0-9a-f]{64})$/, '/sha256:$1');
      return reply.status === 404 && path !== exchange.path ? next({ ...exchange, path }) : reply;
    };
    const { store, registry } = await setUp({ disableReferrersApi: true, middleware: [gitLab] });
    const { descriptor: subject } = await pushImage(store, 'a/b');
    await pushContent(registry, 'a/b', artifactOf({ artifactType: type, subject }));
    await pushContent(registry, 'a/b', artifactOf({ artifactType: type, subject }));
    expect((await listed(store, subject)).length).toBe(2);
  });

  test('other fields of the list stay as they are', async () => {
    const { store, registry } = await setUp({ disableReferrersApi: true });
    const { descriptor: subject } = await pushImage(store, 'a/b');
    const tag = referrersTag(subject.digest);
    await pushContent(store, 'a/b', indexOf([], { annotations: { kept: 'yes' } }), { tags: [tag] });
    await pushContent(registry, 'a/b', artifactOf({ artifactType: type, subject }));
    const { bytes } = await store.getTag('a/b', tag);
    expect(JSON.parse(new TextDecoder().decode(bytes))).toMatchObject({ annotations: { kept: 'yes' } });
  });
});

describe('where there is an API for referrers', () => {
  test('no tag is written, and a repository is asked only once before manifests are deleted', async () => {
    const { store, registry, another, seen } = await setUp();
    const images = [await pushImage(store, 'a/b'), await pushImage(store, 'a/b')];
    const subject = (await pushImage(store, 'a/b')).descriptor;
    const signature = artifactOf({ artifactType: 'application/vnd.example.signature', subject });
    await pushContent(registry, 'a/b', signature);
    expect(await collect(store.tags('a/b'))).toEqual([]);
    seen.length = 0;
    await registry.deleteManifest('a/b', signature.descriptor.digest);
    const fresh = another();
    for (const { descriptor } of images) await fresh.deleteManifest('a/b', descriptor.digest);
    const [first, second] = images.map(({ descriptor }) => descriptor.digest);
    expect(seen).toEqual([
      `DELETE manifests/${signature.descriptor.digest}`,
      `GET referrers/${first}`,
      `DELETE manifests/${first}`,
      `DELETE manifests/${second}`,
    ]);
  });
});
