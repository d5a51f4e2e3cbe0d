import type * as Fs from 'node:fs';
import { readdirSync } from 'node:fs';
import { mkdtemp, open as openFile, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { imageOf, pushContent } from '../../testing/index.ts';

import { openLayout, openLayouts } from './index.ts';
import type { LayoutRegistry } from './index.ts';

/** An edit by another tool in the middle of a fold. */
const others = vi.hoisted(() => {
  const state: { look?: ((path: string) => void) | undefined; rename?: ((path: string) => void) | undefined } = {};
  return {
    state,
    /** Once, so that what it does itself does not count. */
    act(when: 'look' | 'rename', path: unknown): void {
      const action = state[when];
      if (typeof path !== 'string' || !path.endsWith('/index.json') || action === undefined) return;
      state[when] = undefined;
      action(path);
    },
  };
});

vi.mock('node:fs', async (original) => {
  const real = await original<typeof Fs>();
  const openSync: typeof Fs.openSync = (path, ...rest) => {
    others.act('look', path);
    return real.openSync(path, ...rest);
  };
  const renameSync: typeof Fs.renameSync = (from, to) => {
    others.act('rename', to);
    real.renameSync(from, to);
  };
  return { ...real, openSync, renameSync };
});

const fs = await vi.importActual<typeof Fs>('node:fs');

interface Index {
  manifests: Record<string, unknown>[];
}

const first = imageOf();
const second = imageOf();

let root: string;
const warnings: string[] = [];
const opened: LayoutRegistry[] = [];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ocikit-edits-'));
});
afterEach(async () => {
  Object.assign(others.state, { look: undefined, rename: undefined });
  for (const registry of opened.splice(0)) await registry.close();
  warnings.splice(0);
  await rm(root, { recursive: true });
});

const edited = 'another tool has edited an index: both changes are kept';

/** An entry of another tool, with something that only it knows. */
function theirs(name: string): Record<string, unknown> {
  const annotations = { 'org.opencontainers.image.ref.name': name, 'x-their-own': '1' };
  return { ...second.descriptor, annotations };
}

function addTo(text: string, entry: unknown): string {
  const index = JSON.parse(text) as Index;
  return JSON.stringify({ ...index, manifests: [...index.manifests, entry] });
}

/** As skopeo does: the file is emptied and filled again. */
function rewrite(path: string, entry: unknown): void {
  fs.writeFileSync(path, addTo(fs.readFileSync(path, 'utf8'), entry));
}

/** As most tools do. */
function replace(path: string, entry: unknown): void {
  fs.writeFileSync(`${path}.theirs`, addTo(fs.readFileSync(path, 'utf8'), entry));
  fs.renameSync(`${path}.theirs`, path);
}

describe.each([
  ['a shared layout', openLayout, 'index.json', 'app:'],
  ['a layout for each repository', openLayouts, 'app/index.json', ''],
] as const)('the index of %s', (_kind, kind, name, prefix) => {
  let path: string;
  let registry: LayoutRegistry;
  beforeEach(async () => {
    path = join(root, name);
    registry = kind(root, { durability: 'none', onWarning: (message) => warnings.push(message) });
    opened.push(registry);
    await pushContent(registry, 'app', first, { tags: ['kept', 'moved'] });
    await pushContent(registry, 'app', second);
    await registry.fold();
    // The file before it is not watched any more.
    await registry.fold();
    await registry.pushManifest('app', second.bytes, second.mediaType, { tags: ['ours', 'moved'] });
    warnings.splice(0);
  });

  const tagsOnDisk = async (): Promise<Map<string, unknown>> => {
    const { manifests } = JSON.parse(await readFile(path, 'utf8')) as Index;
    return new Map(
      manifests.flatMap((entry) => {
        const { annotations } = entry as { annotations?: Record<string, string> };
        const refName = annotations?.['org.opencontainers.image.ref.name'];
        return refName === undefined ? [] : [[refName.slice(prefix.length), entry]];
      }),
    );
  };

  const expectBoth = async (...more: string[]): Promise<void> => {
    const tags = await tagsOnDisk();
    expect([...tags.keys()].filter((tag) => !tag.includes('sha256')).toSorted()).toEqual(
      ['kept', 'moved', 'ours', ...more].toSorted(),
    );
    expect(tags.get('moved')).toMatchObject({ digest: second.descriptor.digest });
    for (const tag of more) {
      expect(tags.get(tag)).toEqual(theirs(`${prefix}${tag}`));
      expect((await registry.resolveTag('app', tag)).digest).toBe(second.descriptor.digest);
    }
    expect(readdirSync(join(path, '..')).filter((one) => one.endsWith('.tmp'))).toEqual([]);
  };

  test.each([
    ['replaced', replace],
    ['rewritten', rewrite],
  ])('that is %s after the new one was written and before it takes its place has both changes', async (_, edit) => {
    others.state.look = () => edit(path, theirs(`${prefix}theirs`));
    await registry.fold();
    expect(others.state.look).toBeUndefined();
    await expectBoth('theirs');
    expect(warnings).toEqual([edited]);
  });

  test('that is edited again and again has all changes', async () => {
    let round = 0;
    const edit = (): void => {
      replace(path, theirs(`${prefix}theirs-${round}`));
      if (++round < 3) others.state.look = edit;
    };
    others.state.look = edit;
    await registry.fold();
    await expectBoth('theirs-0', 'theirs-1', 'theirs-2');
  });

  test('that never comes to rest is left to them, and is written when it does', async () => {
    let rounds = 0;
    const edit = (): void => {
      fs.utimesSync(path, ++rounds, rounds);
      others.state.look = edit;
    };
    others.state.look = edit;
    await expect(registry.fold()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    others.state.look = undefined;
    expect(rounds).toBeGreaterThan(2);
    await registry.fold();
    await expectBoth();
  });

  test('that is rewritten after the last look has both changes after the next fold', async () => {
    others.state.rename = () => rewrite(path, theirs(`${prefix}theirs`));
    await registry.fold();
    expect(others.state.rename).toBeUndefined();
    await expectBoth();
    await registry.fold();
    await expectBoth('theirs');
    expect(warnings).toEqual([edited]);
  });

  const whileOpen = async (change: (write: (entry: unknown) => Promise<void>) => Promise<void>): Promise<void> => {
    const old = await openFile(path, 'r+');
    try {
      await change(async (entry) => {
        const text = addTo(await readFile(old, 'utf8'), entry);
        await old.truncate(0);
        await old.write(text, 0);
      });
    } finally {
      await old.close();
    }
  };

  test('has the changes that another process wrote to the replaced file, which it had opened before', async () => {
    await whileOpen(async (write) => {
      await registry.fold();
      await write(theirs(`${prefix}theirs`));
      await registry.deleteTag('app', 'kept');
      await registry.pushManifest('app', first.bytes, first.mediaType, { tags: ['later'] });
    });
    await registry.fold();
    const tags = await tagsOnDisk();
    expect([...tags.keys()].filter((tag) => !tag.includes('sha256')).toSorted()).toEqual(
      ['later', 'moved', 'ours', 'theirs'].toSorted(),
    );
    expect(tags.get('moved')).toMatchObject({ digest: second.descriptor.digest });
    await registry.close();
    const again = kind(root, { durability: 'none' });
    opened.push(again);
    expect((await again.resolveTag('app', 'theirs')).digest).toBe(second.descriptor.digest);
    for (const { descriptor } of first.blobs) await again.resolveBlob('app', descriptor.digest);
  });

  test('has it also when nothing is pushed any more and the registry is closed', async () => {
    await whileOpen(async (write) => {
      await registry.fold();
      await write(theirs(`${prefix}theirs`));
    });
    await registry.close();
    expect([...(await tagsOnDisk()).keys()]).toContain('theirs');
  });

  test('has what was written to it, too, when both were written to', async () => {
    await whileOpen(async (write) => {
      await registry.fold();
      await write(theirs(`${prefix}in-the-old`));
      replace(path, theirs(`${prefix}in-the-new`));
    });
    await registry.fold();
    await expectBoth('in-the-old', 'in-the-new');
  });

  test('is not harmed by what is no index in the file that it has replaced', async () => {
    const old = await openFile(path, 'r+');
    await registry.fold();
    await old.truncate(3);
    await old.close();
    await registry.fold();
    await expectBoth();
    expect(warnings).toEqual(['another tool was writing to an index while it was replaced: its edits are lost']);
  });

  test('that another process is just writing is read when it is complete', async () => {
    const text = await readFile(path, 'utf8');
    fs.writeFileSync(path, text.slice(0, 20));
    const folding = registry.fold();
    await new Promise((resolve) => setTimeout(resolve, 10));
    fs.writeFileSync(path, addTo(text, theirs(`${prefix}theirs`)));
    await folding;
    await expectBoth('theirs');
  });

  test('of which nothing is open any more when the registry is closed', async () => {
    const isOpen = (): boolean =>
      readdirSync('/proc/self/fd').some((file) => {
        try {
          return fs.readlinkSync(`/proc/self/fd/${file}`).startsWith(path);
        } catch {
          return false;
        }
      });
    await registry.fold();
    if (process.platform === 'linux') expect(isOpen()).toBe(true);
    await registry.close();
    if (process.platform === 'linux') expect(isOpen()).toBe(false);
  });
});
