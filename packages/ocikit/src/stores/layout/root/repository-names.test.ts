import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import type * as Fs from 'node:fs';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import type * as FsPromises from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { directoryOf } from '../files/index.ts';

import { RepositoryNames } from './repository-names.ts';

/** Directories that were listed or opened, files that were read, and looks at names. */
const calls = vi.hoisted(() => ({ lists: 0, opened: 0, read: 0, looked: 0 }));

vi.mock('node:fs', async (original) => {
  const real = await original<typeof Fs>();
  const counted =
    <T extends (...args: never[]) => unknown>(name: keyof typeof calls, call: T) =>
    (...args: Parameters<T>): unknown => {
      calls[name]++;
      return call(...args);
    };
  return {
    ...real,
    readdirSync: counted('lists', real.readdirSync),
    opendirSync: counted('opened', real.opendirSync),
    lstatSync: counted('looked', real.lstatSync),
  };
});
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof FsPromises>();
  return {
    ...real,
    readdir: (...args: Parameters<typeof real.readdir>) => {
      calls.lists++;
      return real.readdir(...args);
    },
    readFile: (...args: Parameters<typeof real.readFile>) => {
      calls.read++;
      return real.readFile(...args);
    },
  };
});

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ocikit-names-'));
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(root, { recursive: true });
});

const index = '{"schemaVersion":2,"manifests":[]}';

function make(name: string): void {
  const path = join(root, directoryOf(name));
  mkdirSync(join(path, 'blobs/sha256'), { recursive: true });
  writeFileSync(join(path, 'index.json'), index);
  writeFileSync(join(path, 'blobs/sha256', 'a'.repeat(64)), 'x');
}

function removeContent(name: string): void {
  rmSync(join(root, directoryOf(name), 'blobs/sha256', 'a'.repeat(64)));
}

async function countsOf(run: () => Promise<unknown>): Promise<typeof calls> {
  Object.assign(calls, { lists: 0, opened: 0, read: 0, looked: 0 });
  await run();
  return { ...calls };
}

async function inPages(names: RepositoryNames, size: number, after?: string): Promise<string[]> {
  const found: string[] = [];
  for (;;) {
    const page = await names.after(found.at(-1) ?? after, size);
    expect(page.length).toBeLessThanOrEqual(size);
    if (page.length === 0) return found;
    found.push(...page);
  }
}

const many = Array.from({ length: 3000 }, (_, i) => `app-${String(i).padStart(4, '0')}`);

describe.each([true, false])('the names of repositories (in the process that writes: %s)', (isWriter) => {
  const open = (): RepositoryNames => new RepositoryNames(root, { isWriter });

  test('are in byte order from any name on, in pages of any size', async () => {
    const component = fc.constantFrom('a', 'a-b', 'a.b', 'a0', 'b', 'blobs', 'index.json', 'a__b', 'oci-layout', 'z9');
    const name = fc.array(component, { minLength: 1, maxLength: 4 }).map((components) => components.join('/'));
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(name, { maxLength: 25 }),
        fc.option(name, { nil: undefined }),
        fc.integer({ min: 1, max: 9 }),
        async (names, after, size) => {
          for (const one of names) make(one);
          const expected = names.toSorted().filter((one) => after === undefined || one > after);
          const listed = open();
          try {
            expect(await inPages(listed, size, after)).toEqual(expected);
            expect(await inPages(listed, 1000, after)).toEqual(expected);
          } finally {
            for (const one of names)
              rmSync(join(root, directoryOf(one).split('/')[0] ?? ''), { recursive: true, force: true });
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test('cost one list of the root and a look at those in the page, however many there are', async () => {
    for (const name of many) make(name);
    const names = open();
    const first = await countsOf(async () => expect(await names.after(undefined, 10)).toEqual(many.slice(0, 10)));
    expect(first).toEqual({ lists: 21, opened: 0, read: 0, looked: 10 });
    const again = await countsOf(async () => expect(await names.after(undefined, 10)).toEqual(many.slice(0, 10)));
    expect(again.lists).toBeLessThanOrEqual(isWriter ? 0 : 21);
    const last = await countsOf(async () => expect(await names.after('app-2990', 10)).toEqual(many.slice(2991)));
    expect(last.lists).toBeLessThanOrEqual(20);
  });

  test('need no second look at what is no directory', async () => {
    for (let i = 0; i < 500; i++) writeFileSync(join(root, `file-${i}`), '');
    make('z/app');
    const names = open();
    expect(await names.after(undefined, 10)).toEqual(['z/app']);
    const again = await countsOf(async () => expect(await names.after(undefined, 10)).toEqual(['z/app']));
    expect(again.looked).toBeLessThan(10);
    rmSync(join(root, 'file-1'));
    make('file-1');
    names.note('file-1', true);
    expect(await names.after(undefined, 10)).toEqual(['file-1', 'z/app']);
  });

  test('are only those that hold something', async () => {
    for (const name of ['a', 'b', 'c/d', 'e']) make(name);
    for (const name of ['b', 'c/d']) removeContent(name);
    // Other tools may name content that is not there.
    const manifests = [
      { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: `sha256:${'a'.repeat(64)}`, size: 1 },
    ];
    writeFileSync(join(root, 'b/index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
    mkdirSync(join(root, '.ocikit/uploads'), { recursive: true });
    mkdirSync(join(root, 'No/Name/blobs/sha256'), { recursive: true });
    writeFileSync(join(root, 'file'), '');
    await symlink(join(root, 'a'), join(root, 'link'));
    expect(await open().after(undefined, 100)).toEqual(['a', 'b', 'e']);
  });

  test('change with what other processes create and remove, within a second', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    for (const name of ['a', 'b/c']) make(name);
    const names = open();
    expect(await names.after(undefined, 100)).toEqual(['a', 'b/c']);
    for (const name of ['a/x', 'b/d', 'c', 'd/e/f']) make(name);
    vi.advanceTimersByTime(1000);
    expect(await names.after(undefined, 100)).toEqual(['a', 'a/x', 'b/c', 'b/d', 'c', 'd/e/f']);
    rmSync(join(root, 'a'), { recursive: true });
    rmSync(join(root, 'b/c'), { recursive: true });
    vi.advanceTimersByTime(1000);
    expect(await names.after(undefined, 100)).toEqual(['b/d', 'c', 'd/e/f']);
  });
});

describe('in the process that writes', () => {
  test('a new repository is listed at once, without another list of a large directory', async () => {
    for (const name of many) make(name);
    const names = new RepositoryNames(root, { isWriter: true });
    await names.after(undefined, 1);
    // The directory was read long ago by any clock that a test has.
    vi.useFakeTimers({ toFake: ['performance'] });
    make('app-1000-new');
    names.note('app-1000-new', true);
    const page = await countsOf(async () => {
      expect(await names.after('app-0999', 2)).toEqual(['app-1000', 'app-1000-new']);
    });
    // Two for each in the page, and for the one before it: it may have repositories below.
    expect(page.lists).toBe(6);
  });

  test('a repository below another one, or in a new directory, is listed at once', async () => {
    make('a');
    const names = new RepositoryNames(root, { isWriter: true });
    expect(await names.after(undefined, 10)).toEqual(['a']);
    vi.useFakeTimers({ toFake: ['performance'] });
    for (const name of ['a/b', 'c/d/e', 'c/d/f']) {
      make(name);
      names.note(name, true);
      expect(await names.after(undefined, 10)).toContain(name);
    }
    expect(await names.after(undefined, 10)).toEqual(['a', 'a/b', 'c/d/e', 'c/d/f']);
  });

  test('a repository that lost its last content is not listed any more, and is again with new content', async () => {
    make('a');
    make('b');
    const names = new RepositoryNames(root, { isWriter: true });
    expect(await names.after(undefined, 10)).toEqual(['a', 'b']);
    removeContent('a');
    names.note('a', false);
    expect(await names.after(undefined, 10)).toEqual(['b']);
    make('a');
    names.note('a', true);
    expect(await names.after(undefined, 10)).toEqual(['a', 'b']);
  });
});
