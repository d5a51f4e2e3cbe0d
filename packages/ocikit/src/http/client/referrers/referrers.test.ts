import { describe, expect, test } from 'vitest';

import { listen } from '../../../../test/listen.ts';
import type { Handle } from '../../../../test/listen.ts';
import { collect, mediaTypes } from '../../../model/index.ts';
import type { Descriptor, Registry } from '../../../model/index.ts';
import { createMemoryRegistry } from '../../../stores/memory/index.ts';
import {
  artifactOf,
  imageOf,
  indexOf,
  manifestOf,
  pushContent,
  pushImage,
  randomBlob,
} from '../../../testing/index.ts';
import type { TestManifest } from '../../../testing/index.ts';
import { createServer } from '../../server/index.ts';
import type { ServerOptions } from '../../server/index.ts';
import { referrersTag } from '../../wire/index.ts';

import { createClient } from '../index.ts';

const [typeA, typeB] = ['application/vnd.example.a', 'application/vnd.example.b'];
const clientTo = (host: string): Registry => createClient({ host, backOff: { first: 1 } });

/** A registry, what was asked of it, and how it is reached. */
async function serve(
  options: ServerOptions,
  change?: (path: string, response: Parameters<Handle>[1]) => boolean,
): Promise<{ registry: Registry; client: Registry; asked: string[] }> {
  const registry = createMemoryRegistry({ sparse: true });
  const { node } = createServer(registry, options);
  const asked: string[] = [];
  const host = await listen((request, response) => {
    const { url = '' } = request;
    asked.push(url);
    if (change?.(url, response) !== true) node(request, response);
  });
  return { registry, client: clientTo(host), asked };
}

const digestsOf = (descriptors: readonly Descriptor[]): string[] => descriptors.map(({ digest }) => digest);
const inOrder = (...manifests: readonly TestManifest[]): string[] =>
  digestsOf(manifests.map(({ descriptor }) => descriptor)).toSorted();

const typed = (descriptor: Descriptor, artifactType: string): Descriptor => ({ ...descriptor, artifactType });

/** An index under the tag of the subject's referrers. */
async function tagged(registry: Registry, subject: Descriptor, entries: readonly Descriptor[]): Promise<void> {
  const document = { schemaVersion: 2, mediaType: mediaTypes.imageIndex, manifests: entries };
  const index = manifestOf(document, { mediaType: mediaTypes.imageIndex });
  await registry.pushManifest('a', index.bytes, index.mediaType, { tags: [referrersTag(subject.digest)] });
}

describe('a registry without the referrers API', () => {
  const withoutApi: [string, (response: Parameters<Handle>[1]) => void][] = [
    ['an error of the specification', (response) => response.writeHead(404).end('{"errors":[{"code":"NOT_FOUND"}]}')],
    ['NAME_UNKNOWN', (response) => response.writeHead(404).end('{"errors":[{"code":"NAME_UNKNOWN"}]}')],
    ['plain text', (response) => response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found')],
    ['nothing', (response) => response.writeHead(404).end()],
    ['405', (response) => response.writeHead(405).end()],
    ['501', (response) => response.writeHead(501).end()],
    ['UNSUPPORTED', (response) => response.writeHead(400).end('{"errors":[{"code":"UNSUPPORTED"}]}')],
  ];

  test.each(withoutApi)('and says so by %s has them under their tag', async (_how, answer) => {
    const { registry, client } = await serve({}, (path, response) => {
      if (path.includes('/referrers/')) answer(response);
      return path.includes('/referrers/');
    });
    const image = await pushImage(registry, 'a');
    const subject = image.descriptor;
    const [one, two] = [artifactOf({ artifactType: typeA, subject }), artifactOf({ artifactType: typeB, subject })];
    for (const artifact of [one, two]) await pushContent(registry, 'a', artifact);
    await tagged(registry, subject, [one.descriptor, two.descriptor]);

    const found = await collect(client.referrers('a', subject.digest));
    expect(digestsOf(found)).toEqual(inOrder(one, two));
    expect(found.find(({ digest }) => digest === one.descriptor.digest)).toEqual({
      ...one.descriptor,
      artifactType: typeA,
    });
    expect(digestsOf(await collect(client.referrers('a', subject.digest, { artifactType: typeB })))).toEqual(
      inOrder(two),
    );
    expect(digestsOf(await collect(client.referrers('a', subject.digest, { limit: 1 })))).toEqual(
      inOrder(one, two).slice(0, 1),
    );
    const [first] = inOrder(one, two);
    expect(digestsOf(await collect(client.referrers('a', subject.digest, { startAfter: first })))).toEqual(
      inOrder(one, two).slice(1),
    );
  });

  test('may have no such tag, or no such repository', async () => {
    const { registry, client } = await serve({ disableReferrersApi: true });
    const { descriptor } = imageOf();
    expect(await collect(client.referrers('nobody/knows', descriptor.digest))).toEqual([]);
    const image = await pushImage(registry, 'a');
    expect(await collect(client.referrers('a', image.descriptor.digest))).toEqual([]);
  });

  test('that takes the tag for the digest, as GitLab does, has none', async () => {
    for (const manifest of [imageOf(), indexOf([imageOf()])]) {
      const { registry, client, asked } = await serve({ disableReferrersApi: true });
      await pushContent(registry, 'a', manifest, { tags: [referrersTag(manifest.descriptor.digest)] });
      expect(await collect(client.referrers('a', manifest.descriptor.digest))).toEqual([]);
      // The children of an index need not be looked into.
      expect(asked).toHaveLength(2);
    }
  });

  test('may have an index under that tag that is no list of referrers', async () => {
    const { registry, client } = await serve({ disableReferrersApi: true });
    const image = await pushImage(registry, 'a');
    const subject = image.descriptor;
    const children = [await pushImage(registry, 'a'), await pushImage(registry, 'a')];
    const ofAnother = artifactOf({ artifactType: typeA, subject: children[0]?.descriptor });
    const own = artifactOf({ artifactType: typeA, subject });
    const gone = artifactOf({ artifactType: typeA, subject });
    for (const artifact of [ofAnother, own]) await pushContent(registry, 'a', artifact);
    await tagged(registry, subject, [
      ...children.map(({ descriptor }) => descriptor),
      ofAnother.descriptor,
      own.descriptor,
      gone.descriptor,
      // A client said something else of it than it says itself.
      { ...own.descriptor, artifactType: typeB, annotations: { forged: 'yes' } },
    ]);
    expect(await collect(client.referrers('a', subject.digest))).toEqual([{ ...own.descriptor, artifactType: typeA }]);
  });

  test('may have something else under that tag', async () => {
    const { registry, client } = await serve({ disableReferrersApi: true });
    const image = await pushImage(registry, 'a');
    await pushImage(registry, 'a', { tags: [referrersTag(image.descriptor.digest)] });
    expect(await collect(client.referrers('a', image.descriptor.digest))).toEqual([]);
  });

  test('rejects if its list cannot be read', async () => {
    const { client } = await serve({ disableReferrersApi: true }, (path, response) => {
      if (!path.includes('/manifests/')) return false;
      response.writeHead(403).end();
      return true;
    });
    await expect(collect(client.referrers('a', imageOf().descriptor.digest))).rejects.toMatchObject({ code: 'DENIED' });
  });

  test('is asked for no more manifests than it takes', async () => {
    const { registry, client, asked } = await serve({ disableReferrersApi: true });
    const image = await pushImage(registry, 'a');
    const subject = image.descriptor;
    const artifacts = Array.from({ length: 30 }, (_, i) =>
      artifactOf({ artifactType: i === 7 ? typeB : typeA, subject, annotations: { i: `${i}` } }),
    );
    for (const artifact of artifacts) await pushContent(registry, 'a', artifact);
    await tagged(
      registry,
      subject,
      artifacts.map(({ descriptor }, i) => typed(descriptor, i === 7 ? typeB : typeA)),
    );
    expect(await collect(client.referrers('a', subject.digest, { artifactType: typeB }))).toHaveLength(1);
    // The API, the tag, the one that is of this type.
    expect(asked).toHaveLength(3);
    expect(await collect(client.referrers('a', subject.digest, { limit: 2 }))).toHaveLength(2);
    expect(asked.length).toBeLessThan(3 + 2 + 9);
  });
});

describe('the answer of the referrers API', () => {
  const image = imageOf();
  const subject = image.descriptor;
  const entry = (artifactType: string): Descriptor => ({ ...imageOf().descriptor, artifactType });
  const [a, b] = [entry(typeA), entry(typeB)];
  const index = (...manifests: unknown[]): string =>
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.imageIndex, manifests });

  async function answered(
    body: string,
    headers: Record<string, string> = { 'content-type': mediaTypes.imageIndex },
    status = 200,
  ): Promise<{ client: Registry; asked: string[] }> {
    const asked: string[] = [];
    const host = await listen(({ url = '' }, response) => {
      asked.push(url);
      response.writeHead(status, headers).end(body);
    });
    return { client: clientTo(host), asked };
  }

  test('is filtered here unless it says that it was', async () => {
    const find = async (headers: Record<string, string>): Promise<string[]> => {
      const { client } = await answered(index(a, b), { 'content-type': mediaTypes.imageIndex, ...headers });
      return digestsOf(await collect(client.referrers('a', subject.digest, { artifactType: typeA })));
    };
    expect(await find({})).toEqual([a.digest]);
    expect(await find({ 'oci-filters-applied': 'annotation' })).toEqual([a.digest]);
    expect(await find({ 'oci-filters-applied': 'annotation, artifactType' })).toEqual([a.digest, b.digest].toSorted());
    expect(await find({ 'oci-filters-applied': 'artifactType' })).toEqual([a.digest, b.digest].toSorted());
  });

  test('is put in order, each entry once', async () => {
    const { client } = await answered(index(b, a, b, a));
    expect(digestsOf(await collect(client.referrers('a', subject.digest)))).toEqual([a.digest, b.digest].toSorted());
  });

  test.each<[string, Record<string, string>]>([
    ['no media type', {}],
    ['application/json', { 'content-type': 'application/json; charset=utf-8' }],
    ['parameters', { 'content-type': `${mediaTypes.imageIndex}; charset=utf-8` }],
  ])('may come with %s', async (_what, headers) => {
    const { client } = await answered(index(a), headers);
    expect(await collect(client.referrers('a', subject.digest))).toEqual([a]);
  });

  test('may have null for an empty list', async () => {
    const { client, asked } = await answered(
      `{"schemaVersion":2,"mediaType":"${mediaTypes.imageIndex}","manifests":null}`,
    );
    expect(await collect(client.referrers('a', subject.digest))).toEqual([]);
    expect(asked).toHaveLength(1);
  });

  test.each<[string, string, Record<string, string>?]>([
    ['is a page of a portal', '<html>', { 'content-type': 'text/html' }],
    ['is JSON of another kind', '{}', { 'content-type': 'text/plain' }],
    ['is an image', Buffer.from(image.bytes).toString(), { 'content-type': mediaTypes.imageManifest }],
    [
      'says that it is an image',
      JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.imageManifest, manifests: [] }),
    ],
    ['has an entry without a size', index({ ...a, size: undefined })],
    ['has an entry with a digest that is none', index({ ...a, digest: 'sha256:12' })],
    ['has entries that are no list', JSON.stringify({ schemaVersion: 2, manifests: {} })],
    ['is a list', '[]'],
  ])('is refused if it %s', async (_what, body, headers) => {
    const { client, asked } = await answered(body, headers);
    await expect(collect(client.referrers('a', subject.digest))).rejects.toMatchObject({ code: 'UNKNOWN' });
    expect(asked).toHaveLength(1);
  });

  test.each([401, 403])('that is %s is an error, and the tag is not asked for', async (status) => {
    const { client, asked } = await answered('', {}, status);
    await expect(collect(client.referrers('a', subject.digest))).rejects.toMatchObject({ status });
    expect(asked).toHaveLength(1);
  });

  test('continues over pages, and a page that is missing is an error', async () => {
    const { registry, client, asked } = await serve({}, (path, response) => {
      if (!path.includes('last=')) return false;
      response.writeHead(404).end();
      return true;
    });
    const { descriptor } = await pushImage(registry, 'a');
    const pad = 'x'.repeat(100_000);
    for (let i = 0; i < 50; i++) {
      await pushContent(registry, 'a', indexOf([], { subject: descriptor, annotations: { i: `${i}`, pad } }));
    }
    await expect(collect(client.referrers('a', descriptor.digest))).rejects.toMatchObject({
      code: 'UNKNOWN',
      message: expect.stringContaining('Link') as unknown,
    });
    expect(asked.some((path) => path.includes(referrersTag(descriptor.digest)))).toBe(false);
  });

  test('that breaks off is asked for again', async () => {
    let count = 0;
    const host = await listen((_request, response) => {
      const body = index(a, entry(randomBlob(1).descriptor.mediaType));
      response.writeHead(200, { 'content-type': mediaTypes.imageIndex, 'content-length': body.length });
      if (++count === 1) response.write(body.slice(0, 50), () => response.destroy());
      else response.end(body);
    });
    expect(await collect(clientTo(host).referrers('a', subject.digest))).toHaveLength(2);
    expect(count).toBe(2);
  });
});
