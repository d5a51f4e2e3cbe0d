import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { writeBlobs } from '../../../test/write-blobs.ts';
import { eventually } from '../../../test/eventually.ts';
import { imageOf, pushContent } from '../../testing/index.ts';
import type { TestManifest } from '../../testing/index.ts';

import { openLayout, openLayouts } from './index.ts';
import type { LayoutRegistry } from './index.ts';

interface Entry {
  digest: string;
  annotations?: Record<string, string>;
}
interface Index {
  manifests: Entry[];
}

const refName = 'org.opencontainers.image.ref.name';
const first = imageOf();
const second = imageOf();
const third = imageOf();

let dir: string;
const warnings: string[] = [];
const opened: LayoutRegistry[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-seen-'));
});
afterEach(async () => {
  for (const registry of opened.splice(0)) await registry.close();
  warnings.splice(0);
  await rm(dir, { recursive: true });
});

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** Edits are seen within a second on a machine that has nothing else to do. */
async function soon(check: () => Promise<void>): Promise<void> {
  await eventually(check);
}

async function edit(path: string, change: (entries: Entry[]) => Entry[]): Promise<void> {
  const index = JSON.parse(await readFile(path, 'utf8')) as Index;
  await writeFile(path, JSON.stringify({ ...index, manifests: change(index.manifests) }));
}

describe.each([
  ['a shared layout', openLayout, (repository: string) => [`${repository}:`, ''] as const],
  ['a layout for each repository', openLayouts, (repository: string) => ['', repository] as const],
] as const)('the process that writes %s', (_kind, kind, placeOf) => {
  let registry: LayoutRegistry;
  const [prefix, directory] = placeOf('app');
  const base = (): string => join(dir, directory);
  const path = (): string => join(base(), 'index.json');
  const entry = (image: TestManifest, tag: string): Entry => ({
    ...image.descriptor,
    annotations: { [refName]: `${prefix}${tag}` },
  });
  const isTagged = (tag: string): ((one: Entry) => boolean) => {
    return ({ annotations }) => annotations?.[refName] === `${prefix}${tag}`;
  };
  const tags = (): Promise<string[]> => collect(registry.tags('app'));

  beforeEach(async () => {
    registry = kind(dir, { durability: 'none', onWarning: (message) => warnings.push(message) });
    opened.push(registry);
    await pushContent(registry, 'app', first, { tags: ['v1', 'kept'] });
    await registry.fold();
    await registry.getTag('app', 'v1');
  });

  test("sees another tool's tags, moves and deletions", async () => {
    await writeBlobs(base(), second);
    await edit(path(), (entries) => [...entries, entry(second, 'v2')]);
    await soon(async () => expect((await registry.resolveTag('app', 'v2')).digest).toBe(second.descriptor.digest));
    expect((await registry.getManifest('app', second.descriptor.digest)).bytes).toEqual(second.bytes);
    for (const { descriptor } of second.blobs) await registry.resolveBlob('app', descriptor.digest);

    await edit(path(), (entries) => [...entries.filter((one) => !isTagged('v1')(one)), entry(second, 'v1')]);
    await soon(async () => expect((await registry.resolveTag('app', 'v1')).digest).toBe(second.descriptor.digest));

    await edit(path(), (entries) => entries.filter((one) => one.digest !== second.descriptor.digest));
    await soon(async () => expect(await tags()).toEqual(['kept']));
    const gone = registry.getManifest('app', second.descriptor.digest);
    await expect(gone).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    expect(warnings).toEqual([]);
  });

  test('sees a repository that another tool makes, after it was asked for in vain, and its removal', async () => {
    await expect(registry.resolveTag('new/one', 'v1')).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
    expect(await collect(registry.repositories())).toEqual(['app']);
    const [theirPrefix, theirDirectory] = placeOf('new/one');
    const their = join(dir, theirDirectory);
    await writeBlobs(their, second);
    const theirs = { ...second.descriptor, annotations: { [refName]: `${theirPrefix}v1` } };
    if (directory === '') {
      await edit(path(), (entries) => [...entries, theirs]);
    } else {
      await writeFile(join(their, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
      await writeFile(join(their, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [theirs] }));
    }
    await soon(async () => {
      await registry.resolveTag('new/one', 'v1');
      expect(await collect(registry.repositories())).toEqual(['app', 'new/one']);
    });

    if (directory === '') await edit(path(), (entries) => entries.filter((one) => one.digest !== theirs.digest));
    else await rm(join(dir, 'new'), { recursive: true });
    await soon(async () => {
      expect(await collect(registry.repositories())).toEqual(['app']);
      await expect(registry.resolveTag('new/one', 'v1')).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
    });
    await pushContent(registry, 'new/one', third, { tags: ['v3'] });
    await registry.fold();
    expect(await collect(registry.tags('new/one'))).toEqual(['v3']);
  });

  test('keeps what is pushed before an edit is seen, and writes both', async () => {
    await writeBlobs(base(), second);
    await edit(path(), (entries) => [...entries, entry(second, 'theirs')]);
    await pushContent(registry, 'app', third, { tags: ['ours'] });
    await soon(async () => expect(await tags()).toEqual(['kept', 'ours', 'theirs', 'v1']));
    await registry.fold();
    const { manifests } = JSON.parse(await readFile(path(), 'utf8')) as Index;
    for (const tag of ['kept', 'ours', 'theirs', 'v1']) expect(manifests.filter(isTagged(tag)).length).toBe(1);
  });

  test('sees each of many edits while it pushes and folds, and loses nothing', async () => {
    await writeBlobs(base(), second);
    const ours: string[] = [];
    const theirs: string[] = [];
    const all = new AbortController();
    const pushing = (async (): Promise<void> => {
      for (let i = 0; !all.signal.aborted; i++) {
        await registry.pushManifest('app', first.bytes, first.mediaType, { tags: [`ours-${i}`] });
        ours.push(`ours-${i}`);
        if (i % 7 === 0) await registry.fold();
        await tags();
      }
    })();
    for (let i = 0; i < 5; i++) {
      // In place, as skopeo does: a rename in the two calls between the last look and our rename would be lost.
      await edit(path(), (entries) => [...entries, entry(second, `theirs-${i}`)]);
      await soon(async () => expect(await tags()).toContain(`theirs-${i}`));
      theirs.push(`theirs-${i}`);
    }
    all.abort();
    await pushing;
    expect(await tags()).toEqual([...ours, ...theirs, 'kept', 'v1'].toSorted());
  });

  test('keeps what was folded while a tool copied an image, but not what the tool deleted or renamed', async () => {
    const before = JSON.parse(await readFile(path(), 'utf8')) as Index;
    await writeBlobs(base(), second);
    await pushContent(registry, 'app', third, { tags: ['ours'] });
    await registry.fold();
    await writeFile(path(), JSON.stringify({ ...before, manifests: [...before.manifests, entry(second, 'theirs')] }));
    await soon(async () => expect(await tags()).toEqual(['kept', 'ours', 'theirs', 'v1']));
    await registry.fold();
    expect(await readFile(path(), 'utf8')).toMatch(/[:"]ours"/);

    await edit(path(), (entries) => entries.map((one) => (isTagged('ours')(one) ? entry(third, 'renamed') : one)));
    await soon(async () => expect(await tags()).toEqual(['kept', 'renamed', 'theirs', 'v1']));
    await edit(path(), (entries) => entries.filter((one) => !isTagged('theirs')(one)));
    await soon(async () => expect(await tags()).toEqual(['kept', 'renamed', 'v1']));
  });

  test('goes on with its last state while an index cannot be read, and says so once', async () => {
    const good = await readFile(path(), 'utf8');
    await writeFile(path(), '{"manif');
    await soon(async () => {
      expect(await tags()).toEqual(['kept', 'v1']);
      expect(warnings).toEqual(['changes to a layout cannot be read: its last known state is served']);
    });
    await writeFile(path(), good.replaceAll('kept', 'kepd'));
    await soon(async () => expect(await tags()).toEqual(['kepd', 'v1']));
    expect(warnings.length).toBe(1);
  });
});
