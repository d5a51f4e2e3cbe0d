import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { beforeEach, describe, expect, test, vi } from 'vitest';

import type { PartialContent } from '../../../http/client/index.ts';
import { collect } from '../../../model/index.ts';
import { randomBlob } from '../../../testing/index.ts';

import { temporaryDirectory } from '../../../../test/temporary-directory.ts';

import { openTransfers } from './transfers.ts';

let directory = '';

beforeEach(async () => {
  directory = join(await temporaryDirectory(), 'state');
});

const names = (): Promise<string[]> => readdir(directory).catch(() => []);
const nameOf = async (end: string): Promise<string> => {
  const found = (await names()).find((name) => name.endsWith(end));
  if (found === undefined) throw new Error(`there is no ${end}`);
  return join(directory, found);
};

/** The files of an earlier process. */
async function kept(key: string, bytes: Uint8Array): Promise<void> {
  const partial = await openTransfers(directory).openPartial(key);
  await partial?.append(bytes);
  await partial?.close();
}

function contentOf(partial: PartialContent | undefined): AsyncIterable<Uint8Array> {
  if (partial === undefined) throw new Error('somebody else has it');
  return partial.read();
}

const longKey = `blob https://registry.example.com/ ${'very/'.repeat(200)}long sha256:00`;

describe('notes', () => {
  test('are found by the next process, whatever the key', async () => {
    for (const key of ['a', '../../etc/passwd', '', 'ü\n', longKey]) {
      await openTransfers(directory).setNote(key, `value of ${key}`);
      expect(await openTransfers(directory).note(key)).toBe(`value of ${key}`);
    }
    expect(await readdir(join(directory, '..'))).toEqual(['state']);
  });

  test('are replaced, and removed by an undefined value', async () => {
    const transfers = openTransfers(directory);
    expect(await transfers.note('a')).toBeUndefined();
    await transfers.setNote('a', 'one');
    await transfers.setNote('b', 'other');
    await transfers.setNote('a', 'two');
    expect(await transfers.note('a')).toBe('two');
    await transfers.setNote('a', undefined);
    await transfers.setNote('a', undefined);
    expect(await transfers.note('a')).toBeUndefined();
    expect(await transfers.note('b')).toBe('other');
    await transfers.setNote('b', undefined);
    expect(await names()).toEqual([]);
  });

  test.each(['', '{', 'null', '7', '{"key":"a"}', '{"key":"b","value":"x"}', '{"key":"a","value":7}'])(
    'that read %j are ignored',
    async (content) => {
      const transfers = openTransfers(directory);
      await transfers.setNote('a', 'one');
      await writeFile(await nameOf('.note'), content);
      expect(await transfers.note('a')).toBeUndefined();
      await transfers.setNote('a', 'again');
      expect(await transfers.note('a')).toBe('again');
    },
  );

  test('are whole when many are written at the same time', async () => {
    const transfers = openTransfers(directory);
    await Promise.all(Array.from({ length: 50 }, (_, i) => transfers.setNote('a', String(i).repeat(1000))));
    expect(await transfers.note('a')).toMatch(/^(\d+?)\1{999}$/);
    expect(await names()).toHaveLength(1);
  });

  test('can be read by their owner only', async () => {
    await openTransfers(directory).setNote('a', 'one');
    expect((await stat(await nameOf('.note'))).mode & 0o777).toBe(0o600);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
  });
});

describe('a partial content', () => {
  test('grows, and is found by the next process', async () => {
    const { bytes } = randomBlob(3_000_000);
    await kept(longKey, bytes.subarray(0, 1_234_567));
    const partial = await openTransfers(directory).openPartial(longKey);
    expect(partial?.size).toBe(1_234_567);
    await partial?.append(bytes.subarray(1_234_567));
    expect(partial?.size).toBe(bytes.length);
    expect(Buffer.concat(await collect(contentOf(partial))).equals(bytes)).toBe(true);
    await partial?.close();
  });

  test('is read as it was when reading began', async () => {
    await kept('a', Buffer.from('one'));
    const partial = await openTransfers(directory).openPartial('a');
    for await (const piece of contentOf(partial)) {
      await partial?.append(Buffer.from('two'));
      expect(Buffer.from(piece).toString()).toBe('one');
    }
    expect(Buffer.concat(await collect(contentOf(partial))).toString()).toBe('onetwo');
    await partial?.close();
  });

  test('leaves no file when it is removed or empty', async () => {
    await kept('a', Buffer.from('one'));
    const partial = await openTransfers(directory).openPartial('a');
    await partial?.remove();
    await partial?.remove();
    await partial?.close();
    const empty = await openTransfers(directory).openPartial('a');
    expect(empty?.size).toBe(0);
    await empty?.close();
    expect(await names()).toEqual([]);
  });

  test('keeps the bytes of an incomplete write', async () => {
    await kept('a', Buffer.from('onetwo'));
    await truncate(await nameOf('.part'), 4);
    const partial = await openTransfers(directory).openPartial('a');
    expect(partial?.size).toBe(4);
    await partial?.append(Buffer.from('wo'));
    expect(Buffer.concat(await collect(contentOf(partial))).toString()).toBe('onetwo');
    await partial?.close();
  });

  test('fails when it becomes shorter while it is read', async () => {
    await kept('a', Buffer.alloc(3_000_000));
    const partial = await openTransfers(directory).openPartial('a');
    const reading = async (): Promise<void> => {
      for await (const piece of contentOf(partial)) {
        expect(piece.length).toBeGreaterThan(0);
        await truncate(await nameOf('.part'), 10);
      }
    };
    await expect(reading()).rejects.toThrow('shorter');
    await partial?.close();
  });

  test('cannot be opened if its directory cannot be created', async () => {
    await writeFile(join(directory, '..', 'file'), '');
    const transfers = openTransfers(join(directory, '..', 'file', 'state'));
    await expect(transfers.openPartial('a')).rejects.toThrow();
    await expect(transfers.setNote('a', 'x')).rejects.toThrow();
    expect(await openTransfers(directory).note('a')).toBeUndefined();
  });
});

describe('the holder of a partial content', () => {
  test('is one call at a time, also if several ask at the same time', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => openTransfers(directory).openPartial('a')));
    const held = all.filter((partial) => partial !== undefined);
    expect(held).toHaveLength(1);
    expect(await openTransfers(directory).openPartial('a')).toBeUndefined();
    const other = await openTransfers(directory).openPartial('b');
    expect(other?.size).toBe(0);
    await other?.close();
    await held[0]?.append(Buffer.from('one'));
    await held[0]?.close();
    const next = await openTransfers(directory).openPartial('a');
    expect(next?.size).toBe(3);
    await next?.close();
  });

  test('loses it when its process ends', async () => {
    await kept('a', Buffer.from('one'));
    const partial = await openTransfers(directory).openPartial('a');
    const owner = JSON.parse(await readFile(await nameOf('.lock'), 'utf8')) as object;
    await partial?.close();
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'close');
    const lock = (await nameOf('.part')).replace(/part$/, 'lock');
    await writeFile(lock, JSON.stringify({ ...owner, pid: child.pid, nonce: 'another' }));
    const next = await openTransfers(directory).openPartial('a');
    expect(next?.size).toBe(3);
    await next?.close();

    // A process that has its number by chance is another one.
    await writeFile(lock, JSON.stringify({ ...owner, started: 'earlier', nonce: 'another' }));
    const again = await openTransfers(directory).openPartial('a');
    expect(again?.size).toBe(3);
    await again?.close();

    // Nothing runs that ran before the machine was started.
    await writeFile(lock, JSON.stringify({ ...owner, boot: 'earlier', nonce: 'another' }));
    const last = await openTransfers(directory).openPartial('a');
    expect(last?.size).toBe(3);
    await last?.remove();
    expect(await names()).toEqual([]);
  });

  test.each([
    [
      'on another machine',
      JSON.stringify({ host: 'elsewhere', namespace: '', boot: '', pid: 1, started: '1', nonce: 'x' }),
    ],
    ['that was killed while it took it', ''],
  ])('%s keeps it until its heartbeat stops', async (_where, owner) => {
    await kept('a', Buffer.from('one'));
    const lock = (await nameOf('.part')).replace(/part$/, 'lock');
    await writeFile(lock, owner);
    expect(await openTransfers(directory).openPartial('a')).toBeUndefined();
    const before = new Date(Date.now() - 11_000);
    await utimes(lock, before, before);
    const next = await openTransfers(directory).openPartial('a');
    expect(next?.size).toBe(3);
    await next?.close();
  });

  test('updates its heartbeat', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const partial = await openTransfers(directory).openPartial('a');
      const lock = await nameOf('.lock');
      const before = new Date(Date.now() - 60_000);
      await utimes(lock, before, before);
      vi.advanceTimersByTime(2000);
      expect(Date.now() - (await stat(lock)).mtimeMs).toBeLessThan(30_000);
      await partial?.close();
      vi.advanceTimersByTime(10_000);
      expect(await names()).toEqual([]);
    } finally {
      vi.useRealTimers();
    }
  });

  test('releases its own lock only', async () => {
    const partial = await openTransfers(directory).openPartial('a');
    const lock = await nameOf('.lock');
    await writeFile(lock, JSON.stringify({ host: 'elsewhere', pid: 1, started: '1', nonce: 'x' }));
    await partial?.close();
    expect(await readFile(lock, 'utf8')).toContain('"nonce":"x"');
  });
});

test('a transfer that was not resumed for long is removed, and nothing else', async () => {
  await kept('old', Buffer.from('one'));
  const old = await nameOf('.part');
  await kept('new', Buffer.from('two'));
  await openTransfers(directory).setNote('old', 'x');
  const note = await nameOf('.note');
  await writeFile(join(directory, 'README'), 'not ours');
  const before = new Date(Date.now() - 8 * 24 * 60 * 60 * 1000);
  for (const path of [old, note, join(directory, 'README')]) await utimes(path, before, before);
  const partial = await openTransfers(directory).openPartial('new');
  expect(partial?.size).toBe(3);
  await partial?.close();
  expect((await names()).toSorted()).toHaveLength(2);
  expect(await names()).toContain('README');
});
