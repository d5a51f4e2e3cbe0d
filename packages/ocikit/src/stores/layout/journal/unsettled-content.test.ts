import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { digestOf } from '../../../model/index.ts';

import { Files, PrivateDirectory, Throttle } from '../files/index.ts';

import { randomMask } from './journal-file.ts';
import type { JournalPlace } from './journal-file.ts';
import { Journal } from './journal.ts';
import { UnsettledContent } from './unsettled-content.ts';
import type { JournalledFile } from './unsettled-content.ts';

/** Notes what is synchronised, and fails where it is told to. */
class TestFiles extends Files {
  /** The milliseconds for which it has rested, during which clients went on pushing. */
  rested = 0;
  override readonly throttle: Throttle = new Throttle({
    now: () => this.rested,
    delay: async (milliseconds) => {
      this.rested += milliseconds;
      this.throttle.notePush();
    },
  });
  readonly synced: string[] = [];
  readonly failing = new Set<string>();
  beforeFailing: () => Promise<void> = () => Promise.resolve();

  override async syncPath(path: string): Promise<void> {
    this.synced.push(path);
    if (this.failing.has(path)) await this.beforeFailing();
    if (this.failing.has(path)) throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
    await readFile(path);
  }

  override syncDirectory(dir: string): Promise<void> {
    this.synced.push(dir);
    return Promise.resolve();
  }
}

let dir: string;
/** The directory of the journal. */
let own: string;
let files: TestFiles;
let journal: Journal;
let content: UnsettledContent;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-unsettled-'));
  files = new TestFiles('none');
  const privates = new PrivateDirectory(dir, files);
  own = privates.path;
  await mkdir(own);
  journal = new Journal(own, files, 1, () => undefined);
  content = new UnsettledContent(privates, files);
});
afterEach(async () => {
  await journal.close();
  await rm(dir, { recursive: true });
});

/** A file that the journal has. */
async function journalled(name: string, text = name): Promise<JournalledFile> {
  const bytes = Buffer.from(text);
  const path = join(dir, name);
  const digest = digestOf(bytes);
  await writeFile(path, bytes);
  const mask = randomMask();
  const place = await new Promise<JournalPlace>((resolve, reject) => {
    const record = { op: 'content', directory: '', digest, size: bytes.length, mask } as const;
    const outcome = { apply: resolve, undo: () => undefined };
    journal.append({ records: [record], contents: [bytes] }, outcome).catch(reject);
  });
  const file = { ...place, path, directory: '', digest, size: bytes.length, mask };
  content.add(file);
  return file;
}

describe('what only a journal answers for', () => {
  test('is made durable with its directory, once', async () => {
    const [a, b] = [await journalled('a'), await journalled('b')];
    files.synced.splice(0);
    await content.settle(content.all());
    expect(files.synced.slice(0, 2).toSorted()).toEqual([a.path, b.path]);
    expect(files.synced.slice(2)).toContain(dirname(a.path));
    files.synced.splice(0);
    await content.settle(content.all());
    expect(files.synced).toEqual([]);
    expect(content.has(a.path)).toBe(true);
    content.forgetAll([a, b]);
    expect(content.all()).toEqual([]);
  });

  test('is written again from the journal if it cannot be synchronised, and not only synchronised again', async () => {
    const [a, b] = [await journalled('a'), await journalled('b')];
    files.failing.add(a.path);
    // The content that the kernel has is unknown now.
    await writeFile(a.path, 'lost');
    await content.settle(content.all());
    expect(await readFile(a.path, 'utf8')).toBe('a');
    expect(await readFile(b.path, 'utf8')).toBe('b');
    expect((await readdir(dir)).toSorted()).toEqual(['.ocikit', 'a', 'b']);
  });

  test('is not written again if it was removed meanwhile', async () => {
    const a = await journalled('a');
    files.failing.add(a.path);
    files.beforeFailing = async () => {
      await rm(a.path);
      content.forget(a.path);
    };
    await content.settle([a]);
    expect(await readdir(dir)).toEqual(['.ocikit']);
  });

  test('stays if that fails too', async () => {
    const a = await journalled('a');
    files.failing.add(a.path);
    await rm(join(own, 'journal-1'));
    await expect(content.settle(content.all())).rejects.toThrow('journal-1');
    expect(content.has(a.path)).toBe(true);
    expect(a.isDurable).toBeUndefined();
  });

  test('need not be there any more', async () => {
    const [a, b] = [await journalled('a'), await journalled('b')];
    await rm(a.path);
    await content.settle(content.all());
    expect(files.synced).toContain(b.path);
  });

  test('that is written again while it is being made durable stays', async () => {
    const before = await journalled('a');
    const settling = content.settle(content.all());
    const after = await journalled('a');
    await settling;
    content.forgetAll([before]);
    expect(content.all()).toEqual([after]);
  });

  test.each([
    ['is empty', ''],
    ['has zeros', '\0'.repeat(6)],
    ['is cut short', 'sec'],
    ['is not there', undefined],
  ])('is what the journal says of it after a crash, when it %s', async (_name, text) => {
    await journalled('first');
    const second = await journalled('second');
    await rm(second.path);
    if (text !== undefined) await writeFile(second.path, text);
    await content.recover(second);
    expect(await readFile(second.path, 'utf8')).toBe('second');
  });

  test('is due, and then too much, by number and by size', async () => {
    const file = await journalled('a');
    for (let i = 0; i < 8190; i++) content.add({ ...file, path: `${i}` });
    expect(content.isDue).toBe(false);
    content.add({ ...file, path: 'one more' });
    expect(content.isDue).toBe(true);
    expect(content.isFull).toBe(false);
    content.add({ ...file, path: 'large', size: 128 * 1024 * 1024 });
    expect(content.isFull).toBe(true);
    content.forget('large');
    expect(content.isFull).toBe(false);
    for (const { path } of content.all()) content.forget(path);
    content.add({ ...file, size: 16 * 1024 * 1024 });
    expect(content.isDue).toBe(true);
  });

  test('makes room as soon as its bytes are durable, and is then forgotten only when it is told to', async () => {
    const large = await journalled('a');
    content.add({ ...large, size: 128 * 1024 * 1024 });
    expect(content.isFull).toBe(true);
    await content.settle(content.all());
    expect(content.isFull).toBe(false);
    expect(content.isDue).toBe(false);
    expect(content.has(large.path)).toBe(true);
    content.forget(large.path);
    expect(content.isDue).toBe(false);
  });

  test('is made durable slowly during pushes, unless there is much of it or a caller waits', async () => {
    const made: JournalledFile[] = [];
    for (let i = 0; i < 40; i++) made.push(await journalled(`${i}`));
    // How long it rests while a client pushes without end.
    const settling = async (): Promise<number> => {
      for (const file of made) content.add({ ...file, isSynced: false, isDurable: false });
      const few = content.all().filter(({ path }) => path !== 'much');
      files.throttle.notePush();
      const before = files.rested;
      await content.settle(few);
      return files.rested - before;
    };
    // Three at a time, with a rest of 20 ms after each.
    const slow = await settling();
    expect(slow).toBeGreaterThan(200);
    expect(await files.throttle.atFullSpeed(settling)).toBe(0);
    content.add({ ...(await journalled('much')), path: 'much', size: 200 * 1024 * 1024 });
    expect(await settling()).toBeLessThan(slow / 2);
  });
});
