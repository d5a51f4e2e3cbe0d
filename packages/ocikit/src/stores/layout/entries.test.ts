// The index entries of other tools: kept as they were written, and reachable for every collection.
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { writeBlobs } from '../../../test/write-blobs.ts';
import { collect, splitDigest } from '../../model/index.ts';
import { imageOf, indexOf, pushContent } from '../../testing/index.ts';
import type { TestManifest } from '../../testing/index.ts';
import { collectGarbage, planRetention } from '../../upkeep/index.ts';

import { openLayout, openLayouts } from './index.ts';
import type { LayoutOptions, LayoutRegistry } from './index.ts';

let root: string;
const warnings: string[] = [];
const opened: LayoutRegistry[] = [];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ocikit-entries-'));
});
afterEach(async () => {
  for (const registry of opened.splice(0)) await registry.close();
  warnings.splice(0);
  await rm(root, { recursive: true });
});

const refName = 'org.opencontainers.image.ref.name';
const imageName = 'io.containerd.image.name';

/** @param entries texts of entries */
async function writeLayout(
  dir: string,
  entries: readonly string[],
  marker = '{"imageLayoutVersion":"1.0.0"}',
): Promise<void> {
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, 'oci-layout'), marker);
  await writeFile(join(dir, 'index.json'), `{"schemaVersion":2,"manifests":[${entries.join(',')}]}`);
}

/** As containerd's `images export` writes it. */
function exported({ descriptor }: TestManifest, name: string): string {
  const { mediaType, digest, size } = descriptor;
  const tag = name.slice(name.lastIndexOf(':') + 1);
  return JSON.stringify({ mediaType, digest, size, annotations: { [imageName]: name, [refName]: tag } });
}

/** Removes everything that nothing reaches. */
async function sweep(registry: LayoutRegistry): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 10));
  await collectGarbage(registry, { gracePeriod: 0 });
}

async function expectWhole(registry: LayoutRegistry, repository: string, image: TestManifest): Promise<void> {
  const { descriptor, bytes } = image;
  expect((await registry.getManifest(repository, descriptor.digest)).bytes).toEqual(bytes);
  for (const blob of image.blobs) {
    const content = await registry.getBlob(repository, blob.descriptor.digest);
    expect(await content.bytes()).toEqual(blob.bytes);
  }
}

const [a, b, c] = [imageOf(), imageOf(), imageOf()];

describe.each([
  ['a shared layout', openLayout, ''],
  ['a layout for each repository', openLayouts, 'app'],
] as const)('the entries of other tools in %s', (_kind, openRoot, directory) => {
  const open = (options: LayoutOptions = {}): LayoutRegistry => {
    const registry = openRoot(root, { durability: 'none', onWarning: (message) => warnings.push(message), ...options });
    opened.push(registry);
    return registry;
  };
  const dir = (): string => join(root, directory);
  const isShared = directory === '';
  const nameOf = (tag: string): string => (isShared ? `app:${tag}` : tag);
  const readText = (): Promise<string> => readFile(join(dir(), 'index.json'), 'utf8');

  const expectKept = async (texts: readonly string[]): Promise<void> => {
    const text = await readText();
    JSON.parse(text);
    for (const one of texts) expect(text.split(one).length).toBe(2);
  };

  /** Push, collection, push, and a restart, each with a look at the entries and the content. */
  const expectSurvival = async (
    texts: readonly string[],
    check: (registry: LayoutRegistry) => Promise<void>,
  ): Promise<void> => {
    let registry = open();
    for (let round = 0; round < 2; round++) {
      await check(registry);
      await pushContent(registry, 'app', imageOf(), { tags: ['ours'] });
      await registry.fold();
      await expectKept(texts);
      await sweep(registry);
      await registry.fold();
      await expectKept(texts);
      await pushContent(registry, 'app', imageOf(), { tags: [`ours-${round}`] });
      await pushContent(registry, 'app', imageOf());
      await registry.close();
      await expectKept(texts);
      registry = open();
      await sweep(registry);
    }
    await check(registry);
  };

  const several = 'an index has several entries of one name: the last one counts, the others are left unchanged';

  test('of which several have one name are all kept: the last one is read, the others have their digest', async () => {
    await writeBlobs(dir(), a, b);
    const entryOf = ({ descriptor }: TestManifest, more: object): string =>
      JSON.stringify({ platform: more, ...descriptor, annotations: { z: '1', [refName]: nameOf('latest'), a: '2' } });
    const texts = [
      entryOf(a, { os: 'linux', architecture: 'amd64' }),
      entryOf(b, { os: 'linux', architecture: 'arm64' }),
    ];
    await writeLayout(dir(), texts);
    await expectSurvival(texts, async (registry) => {
      expect((await registry.resolveTag('app', 'latest')).digest).toBe(b.descriptor.digest);
      for (const image of [a, b]) await expectWhole(registry, 'app', image);
    });
    const found = warnings.filter((message) => message === several);
    expect(found.length).toBe(3);
  });

  test('are warned of once in the life of a registry', async () => {
    await writeBlobs(dir(), a, b);
    const texts = [a, b].map(({ descriptor }) =>
      JSON.stringify({ ...descriptor, annotations: { [refName]: nameOf('latest') } }),
    );
    await writeLayout(dir(), texts);
    const registry = open();
    await registry.resolveTag('app', 'latest');
    await pushContent(registry, 'app', c, { tags: ['ours'] });
    await registry.fold();
    await writeFile(join(dir(), 'index.json'), `${await readText()} `);
    await pushContent(registry, 'app', c, { tags: ['more'] });
    await registry.fold();
    expect(warnings.filter((message) => message === several).length).toBe(1);
  });

  test('of one name and in our own format are kept as well', async () => {
    await writeBlobs(dir(), a, b);
    const texts = [a, b].map(({ descriptor }) =>
      JSON.stringify({ ...descriptor, annotations: { [refName]: nameOf('v1') } }),
    );
    await writeLayout(dir(), texts);
    await expectSurvival(texts, async (registry) => {
      expect((await registry.resolveTag('app', 'v1')).digest).toBe(b.descriptor.digest);
      for (const image of [a, b]) await expectWhole(registry, 'app', image);
    });
  });

  /** Entries of one tag: two have it in a name, and the one between them is named by it. */
  const looseAndExact = (): string[] => {
    const loose = isShared ? { [refName]: 'v1', [imageName]: 'app:v1' } : { [refName]: 'localhost/app:v1' };
    return [
      JSON.stringify({ ...c.descriptor, annotations: loose }),
      JSON.stringify({ ...a.descriptor, annotations: { [refName]: nameOf('v1') } }),
      JSON.stringify({ ...b.descriptor, annotations: loose }),
    ];
  };

  test('of which one names a tag exactly give the tag to that one, wherever it is', async () => {
    await writeBlobs(dir(), a, b, c);
    const texts = looseAndExact();
    await writeLayout(dir(), texts);
    await expectSurvival(texts, async (registry) => {
      expect((await registry.resolveTag('app', 'v1')).digest).toBe(a.descriptor.digest);
      for (const image of [a, b, c]) await expectWhole(registry, 'app', image);
    });
  });

  test('that name a tag exactly or not get it in the same order when manifests are deleted', async () => {
    await writeBlobs(dir(), a, b, c);
    await writeLayout(dir(), looseAndExact());
    let registry = open();
    for (const [gone, next] of [
      [a, b],
      [b, c],
    ] as const) {
      await registry.deleteManifest('app', gone.descriptor.digest);
      expect((await registry.resolveTag('app', 'v1')).digest).toBe(next.descriptor.digest);
      await registry.close();
      registry = open();
      expect((await registry.resolveTag('app', 'v1')).digest).toBe(next.descriptor.digest);
    }
  });

  test('that name one tag lose it all when a client deletes it, also after a restart', async () => {
    await writeBlobs(dir(), a, b);
    const texts = [a, b].map(({ descriptor }) =>
      JSON.stringify({ ...descriptor, annotations: { [refName]: nameOf('v1') } }),
    );
    await writeLayout(dir(), texts);
    const registry = open();
    await registry.deleteTag('app', 'v1');
    await registry.close();
    const again = open();
    await expect(again.resolveTag('app', 'v1')).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    await expectWhole(again, 'app', a);
  });

  test('of one name give the tag to the one before when a client deletes the manifest of the last one', async () => {
    await writeBlobs(dir(), a, b);
    const texts = [a, b].map(({ descriptor }) =>
      JSON.stringify({ x: 1, ...descriptor, annotations: { [refName]: nameOf('v1') } }),
    );
    await writeLayout(dir(), texts);
    const registry = open();
    await registry.deleteManifest('app', b.descriptor.digest);
    expect((await registry.resolveTag('app', 'v1')).digest).toBe(a.descriptor.digest);
    await sweep(registry);
    await registry.close();
    await expectKept(texts.slice(0, 1));
    const again = open();
    expect((await again.resolveTag('app', 'v1')).digest).toBe(a.descriptor.digest);
    await expectWhole(again, 'app', a);
  });

  test('that name one tag are kept when a client moves it, and the client wins', async () => {
    await writeBlobs(dir(), a, b);
    const texts = [a, b].map(({ descriptor }) =>
      JSON.stringify({ x: 1, ...descriptor, annotations: { [refName]: nameOf('v1') } }),
    );
    await writeLayout(dir(), texts);
    const registry = open();
    await pushContent(registry, 'app', c, { tags: ['v1'] });
    await registry.close();
    const again = open();
    await sweep(again);
    await again.fold();
    expect((await again.resolveTag('app', 'v1')).digest).toBe(c.descriptor.digest);
    await expectKept(texts.slice(0, 1));
    await expectWhole(again, 'app', a);
  });

  test('keep what only they know when a client pushes the same manifest with the same tag', async () => {
    await writeBlobs(dir(), a);
    const text = JSON.stringify({ ...a.descriptor, annotations: { own: 'x', [refName]: nameOf('v1') }, platform: {} });
    await writeLayout(dir(), [text]);
    const registry = open();
    await pushContent(registry, 'app', a, { tags: ['v1'] });
    await registry.close();
    await expectKept([text]);
  });

  test.each([
    ['white space', (text: string) => text.replaceAll(',', ' ,\n\t ').replaceAll(':"', ' : "')],
    ['escapes', (text: string) => text.replaceAll('/', String.raw`\/`).replace('sha', String.raw`\u0073ha`)],
    ['numbers of its own', (text: string) => text.replace('{', '{"n":1.50e3,"big":12345678901234567890,')],
    ['a field twice', (text: string) => text.replace('{', '{"mediaType":"a/b",')],
    ['digits as fields', (text: string) => text.replace('{', '{"2":1,"1":[{"9":0,"8":"]}"}],')],
  ])('are the same bytes after they were written, with %s', async (_what, change) => {
    await writeBlobs(dir(), a);
    const text = change(JSON.stringify({ ...a.descriptor, annotations: { [refName]: nameOf('v1') } }));
    await writeLayout(dir(), [text]);
    await expectSurvival([text], async (registry) => {
      expect((await registry.resolveTag('app', 'v1')).digest).toBe(a.descriptor.digest);
      await expectWhole(registry, 'app', a);
    });
  });

  test('without a tag are reachable for a collection, also in our own format', async () => {
    await writeBlobs(dir(), a);
    const name = isShared ? `app@${a.descriptor.digest}` : undefined;
    const annotations = name === undefined ? {} : { annotations: { [refName]: name } };
    const text = JSON.stringify({ ...a.descriptor, ...annotations });
    await writeLayout(dir(), [text]);
    await expectSurvival([text], (registry) => expectWhole(registry, 'app', a));
    const registry = open();
    const rules = { untagged: [{ keepUsedWithin: 0 }] };
    const planned = await collect(planRetention(registry, rules));
    expect(planned.map(({ digest }) => digest)).not.toContain(a.descriptor.digest);
  });

  test('do not keep our own garbage, also when an edit has made the snapshot stale', async () => {
    const registry = open();
    await pushContent(registry, 'app', a, { tags: ['v1'] });
    await pushContent(registry, 'app', b);
    await registry.close();
    await writeBlobs(dir(), c);
    const index = JSON.parse(await readText()) as { manifests: object[] };
    index.manifests.push({ ...c.descriptor, annotations: { [refName]: nameOf('theirs') } });
    await writeFile(join(dir(), 'index.json'), JSON.stringify(index));
    const again = open();
    await sweep(again);
    await expectWhole(again, 'app', a);
    await expectWhole(again, 'app', c);
    await expect(again.getManifest('app', b.descriptor.digest)).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    const files = await readdir(join(dir(), 'blobs/sha256'));
    expect(files).not.toContain(splitDigest(b.descriptor.digest).encoded);
  });

  test('that are no descriptors keep what they mention', async () => {
    await writeBlobs(dir(), a, b);
    const { digest } = indexOf([a]).descriptor;
    await writeBlobs(dir(), indexOf([a]));
    const texts = [`{"digest":"${digest}","size":"12"}`, JSON.stringify({ digest: b.descriptor.digest })];
    await writeLayout(dir(), texts);
    await expectSurvival(texts, async () => {
      const files = await readdir(join(dir(), 'blobs/sha256'));
      for (const { descriptor, blobs } of [a, b]) {
        for (const one of [descriptor, ...blobs.map((blob) => blob.descriptor)]) {
          expect(files).toContain(splitDigest(one.digest).encoded);
        }
      }
    });
  });

  test.each([5, true, null, ['v1'], { v: 1 }])('have no tag if their name is %j, and lists end', async (name) => {
    await writeBlobs(dir(), a, b);
    const texts = [
      JSON.stringify({ ...a.descriptor, annotations: { [refName]: name } }),
      JSON.stringify({ ...b.descriptor, annotations: { [refName]: nameOf('v1') } }),
    ];
    await writeLayout(dir(), texts);
    await expectSurvival(texts.slice(0, 1), async (registry) => {
      expect(await collect(registry.tags('app', { limit: 10 }))).toContain('v1');
      expect(await collect(registry.repositories())).toEqual(['app']);
      if (!isShared) await expectWhole(registry, 'app', a);
    });
  });

  test('are read with a byte order mark before `oci-layout` and `index.json`', async () => {
    await writeBlobs(dir(), a);
    const text = JSON.stringify({ ...a.descriptor, annotations: { [refName]: nameOf('v1') } });
    await writeLayout(dir(), [text], '\uFEFF{"imageLayoutVersion":"1.0.0"}');
    await writeFile(join(dir(), 'index.json'), `\uFEFF${await readText()}`);
    await expectSurvival([], (registry) => expectWhole(registry, 'app', a));
  });
});

describe('the names that containerd gives its images', () => {
  const texts = [exported(a, 'docker.io/library/a:latest'), exported(b, 'localhost:5000/b:latest')];

  test('are repositories of a shared layout', async () => {
    await writeBlobs(root, a, b);
    await writeLayout(root, texts);
    const registry = openLayout(root, { durability: 'none' });
    opened.push(registry);
    await pushContent(registry, 'app', c, { tags: ['v1'] });
    await sweep(registry);
    await registry.fold();
    const text = await readFile(join(root, 'index.json'), 'utf8');
    for (const one of texts) expect(text).toContain(one);
    expect(await collect(registry.repositories())).toEqual(['app', 'docker.io/library/a', 'localhost_5000/b']);
    for (const [repository, image] of [
      ['docker.io/library/a', a],
      ['localhost_5000/b', b],
    ] as const) {
      expect((await registry.resolveTag(repository, 'latest')).digest).toBe(image.descriptor.digest);
      await expectWhole(registry, repository, image);
    }
  });

  test('do not matter in a layout of one repository', async () => {
    const dir = join(root, 'app');
    await writeBlobs(dir, a, b);
    await writeLayout(dir, texts);
    const registry = openLayouts(root, { durability: 'none' });
    opened.push(registry);
    await sweep(registry);
    expect(await collect(registry.tags('app'))).toEqual(['latest']);
    expect((await registry.resolveTag('app', 'latest')).digest).toBe(b.descriptor.digest);
    await expectWhole(registry, 'app', a);
  });
});

describe('content of a shared layout that several entries reach', () => {
  test('stays when one repository gives it up and an entry without a meaning names it', async () => {
    await writeBlobs(root, a);
    const text = JSON.stringify({ ...a.descriptor, annotations: { [refName]: 'Foo:Bar' } });
    await writeLayout(root, [text]);
    const registry = openLayout(root, { durability: 'none' });
    opened.push(registry);
    await pushContent(registry, 'app', a, { tags: ['v1'] });
    await registry.deleteManifest('app', a.descriptor.digest);
    for (const { descriptor } of a.blobs) await registry.deleteBlob('app', descriptor.digest);
    await sweep(registry);
    const files = await readdir(join(root, 'blobs/sha256'));
    for (const { descriptor } of [a, ...a.blobs]) expect(files).toContain(splitDigest(descriptor.digest).encoded);
  });

  test('stays when one repository gives it up before the manifests of another one were read', async () => {
    const registry = openLayout(root, { durability: 'none' });
    await pushContent(registry, 'app', a, { tags: ['v1'] });
    await registry.close();
    const index = JSON.parse(await readFile(join(root, 'index.json'), 'utf8')) as { manifests: object[] };
    index.manifests.push({ ...a.descriptor, annotations: { [refName]: 'other:v1' } });
    await writeFile(join(root, 'index.json'), JSON.stringify(index));
    const again = openLayout(root, { durability: 'none' });
    opened.push(again);
    await again.deleteManifest('app', a.descriptor.digest);
    for (const { descriptor } of a.blobs) await again.deleteBlob('app', descriptor.digest);
    await expectWhole(again, 'other', a);
  });
});
