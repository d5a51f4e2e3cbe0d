import { appendFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { eventually } from '../../../../test/eventually.ts';
import { imageOf, pushContent } from '../../../testing/index.ts';

import { openLayout, openLayouts } from '../index.ts';
import type { LayoutRegistry } from '../index.ts';
import { encodeFrame } from '../journal/index.ts';

let dir: string;
const opened: LayoutRegistry[] = [];
const warnings: string[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-following-'));
});
afterEach(async () => {
  for (const registry of opened.splice(0)) await registry.close();
  warnings.splice(0);
  await rm(dir, { recursive: true });
});

const first = imageOf();
const second = imageOf();

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** Changes are seen soon, not at once. */
async function soon(check: () => Promise<void>): Promise<void> {
  await eventually(check);
}

describe.each([
  ['a shared layout', openLayout, 'index.json', 'app:'],
  ['a layout for each repository', openLayouts, 'app/index.json', ''],
] as const)('who reads %s beside the one that writes it', (_kind, kind, name, prefix) => {
  let writer: LayoutRegistry;
  let reader: LayoutRegistry;
  const open = (): LayoutRegistry => {
    const registry = kind(dir, { durability: 'none', onWarning: (message) => warnings.push(message) });
    opened.push(registry);
    return registry;
  };
  const journal = async (): Promise<string> => {
    const names = (await readdir(join(dir, '.ocikit'))).filter((one) => one.startsWith('journal-'));
    return join(dir, '.ocikit', names.at(-1) ?? 'none');
  };
  beforeEach(async () => {
    writer = open();
    await pushContent(writer, 'app', first, { tags: ['v1', 'kept'] });
    reader = open();
    expect((await reader.resolveTag('app', 'v1')).digest).toBe(first.descriptor.digest);
  });

  test('sees what is pushed, moved and deleted, whether it has been folded or not', async () => {
    await pushContent(writer, 'app', second, { tags: ['v1', 'v2'] });
    await writer.deleteTag('app', 'kept');
    const check = async (): Promise<void> => {
      expect((await reader.resolveTag('app', 'v1')).digest).toBe(second.descriptor.digest);
      expect(await collect(reader.tags('app'))).toEqual(['v1', 'v2']);
    };
    await soon(check);
    await writer.fold();
    await check();
    await writer.pushManifest('app', first.bytes, first.mediaType, { tags: ['v1', 'v3'] });
    await writer.fold();
    await soon(async () => {
      expect((await reader.resolveTag('app', 'v1')).digest).toBe(first.descriptor.digest);
      expect(await collect(reader.tags('app'))).toEqual(['v1', 'v2', 'v3']);
    });
    await writer.deleteManifest('app', second.descriptor.digest);
    await soon(async () => {
      await expect(reader.resolveManifest('app', second.descriptor.digest)).rejects.toMatchObject({
        code: 'MANIFEST_UNKNOWN',
      });
    });
    for (const { descriptor } of first.blobs) await reader.resolveBlob('app', descriptor.digest);
    expect(warnings).toEqual([]);
  });

  test('sees repositories come and go', async () => {
    expect(await collect(reader.repositories())).toEqual(['app']);
    await pushContent(writer, 'new/one', second, { tags: ['v1'] });
    await soon(async () => expect(await collect(reader.repositories())).toEqual(['app', 'new/one']));
    await writer.deleteManifest('new/one', second.descriptor.digest);
    for (const { descriptor } of second.blobs) await writer.deleteBlob('new/one', descriptor.digest);
    await soon(async () => expect(await collect(reader.repositories())).toEqual(['app']));
  });

  test('never sees less than it has seen, while the other pushes and folds', async () => {
    const pushing = (async (): Promise<void> => {
      for (let i = 0; i < 60; i++) {
        await writer.pushManifest('app', first.bytes, first.mediaType, { tags: [`t${i}`] });
        if (i % 5 === 0) await writer.fold();
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    })();
    const over = new AbortController();
    void pushing.then(() => over.abort());
    let most = 0;
    while (!over.signal.aborted) {
      const { length } = await collect(reader.tags('app'));
      expect(length).toBeGreaterThanOrEqual(most);
      most = length;
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    await pushing;
    expect(most).toBeGreaterThan(2);
    await soon(async () => expect((await collect(reader.tags('app'))).length).toBe(62));
    expect(warnings).toEqual([]);
  });

  test('does not keep what the other has taken back from the end of its journal, whatever came in its place', async () => {
    const path = await journal();
    const good = await readFile(path);
    const { digest } = first.descriptor;
    await appendFile(path, encodeFrame([{ op: 'tag', repository: 'app', tag: 'refused', digest }]));
    await soon(async () => expect(await collect(reader.tags('app'))).toContain('refused'));
    await truncate(path, good.length);
    await appendFile(path, encodeFrame([{ op: 'tag', repository: 'app', tag: 'instead', digest }]));
    await appendFile(path, encodeFrame([{ op: 'tag', repository: 'app', tag: 'more', digest }]));
    await soon(async () => expect(await collect(reader.tags('app'))).toEqual(['instead', 'kept', 'more', 'v1']));
    await truncate(path, good.length);
  });

  test('sees a record when all of it is there', async () => {
    const path = await journal();
    const good = await readFile(path);
    const { digest } = first.descriptor;
    const frame = encodeFrame([{ op: 'tag', repository: 'app', tag: 'slow', digest }]);
    await appendFile(path, frame.subarray(0, 20));
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(await collect(reader.tags('app'))).toEqual(['kept', 'v1']);
    await appendFile(path, frame.subarray(20));
    await soon(async () => expect(await collect(reader.tags('app'))).toEqual(['kept', 'slow', 'v1']));
    expect(warnings).toEqual([]);
    await truncate(path, good.length);
  });

  test("sees another tool's edit", async () => {
    await writer.close();
    const path = join(dir, name);
    const index = JSON.parse(await readFile(path, 'utf8')) as { manifests: unknown[] };
    const annotations = { 'org.opencontainers.image.ref.name': `${prefix}theirs` };
    index.manifests.push({ ...first.descriptor, annotations });
    await writeFile(path, JSON.stringify(index));
    await soon(async () => expect(await collect(reader.tags('app'))).toEqual(['kept', 'theirs', 'v1']));
  });

  test('keeps its last state while an index cannot be read, and warns once', async () => {
    await writer.close();
    await soon(async () => expect(await collect(reader.tags('app'))).toEqual(['kept', 'v1']));
    const path = join(dir, name);
    const good = await readFile(path, 'utf8');
    await writeFile(path, '{"manif');
    await soon(async () => {
      expect(await collect(reader.tags('app'))).toEqual(['kept', 'v1']);
      expect(warnings).toEqual(['changes to a layout cannot be read: its last known state is served']);
    });
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(await collect(reader.tags('app'))).toEqual(['kept', 'v1']);
    expect(warnings.length).toBe(1);
    await writeFile(path, good.replaceAll('kept', 'kepd'));
    await soon(async () => expect(await collect(reader.tags('app'))).toEqual(['kepd', 'v1']));
  });

  test('can write when the other has stopped, with all that the other has pushed', async () => {
    await pushContent(writer, 'app', second, { tags: ['v2'] });
    await writer.close();
    await reader.pushManifest('app', second.bytes, second.mediaType, { tags: ['v3'] });
    expect(await collect(reader.tags('app'))).toEqual(['kept', 'v1', 'v2', 'v3']);
    const third = open();
    expect(await collect(third.tags('app'))).toEqual(['kept', 'v1', 'v2', 'v3']);
  });
});
