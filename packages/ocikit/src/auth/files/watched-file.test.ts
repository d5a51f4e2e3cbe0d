import { mkdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, onTestFinished, test, vi } from 'vitest';

import { temporaryDirectory } from '../../../test/temporary-directory.ts';

import { watchFile } from './watched-file.ts';
import type { WatchFileOptions } from './watched-file.ts';

/** Watches a file, for as long as the test runs. Texts with `bad` are faulty. */
async function watch(path: string, options: WatchFileOptions<string> = {}) {
  const values: string[] = [];
  const errors: string[] = [];
  const file = await watchFile(path, parse, {
    interval: 20,
    onChange: (value) => values.push(value),
    onError: ({ message }) => errors.push(message),
    ...options,
  });
  onTestFinished(() => file.close());
  return { file, values, errors };
}

function parse(text: string): string {
  if (text.includes('bad')) throw new Error('the text is bad');
  return text;
}

describe('a watched file', () => {
  test('has its content, and soon the new one', async () => {
    const path = join(await temporaryDirectory(), 'file');
    await writeFile(path, 'one');
    const { file, values } = await watch(path);
    expect(file.value).toBe('one');
    await writeFile(path, 'two');
    await vi.waitFor(() => expect(file.value).toBe('two'), { timeout: 10_000 });
    expect(values).toEqual(['two']);
  });

  test('is read again when another file takes its place, also with the same size and time', async () => {
    const dir = await temporaryDirectory();
    const path = join(dir, 'file');
    await writeFile(path, 'one');
    const { file } = await watch(path);
    const { atime, mtime } = await stat(path);
    await writeFile(join(dir, 'new'), 'two');
    await utimes(join(dir, 'new'), atime, mtime);
    await rename(join(dir, 'new'), path);
    await vi.waitFor(() => expect(file.value).toBe('two'), { timeout: 10_000 });
  });

  test('is read again at each swap of a link on its way, as Kubernetes mounts have it', async () => {
    const dir = await temporaryDirectory();
    const version = async (name: string): Promise<void> => {
      await mkdir(join(dir, name));
      await writeFile(join(dir, name, 'users'), name);
      await symlink(name, join(dir, '..data.new'));
      await rename(join(dir, '..data.new'), join(dir, '..data'));
    };
    await version('v1');
    await symlink(join('..data', 'users'), join(dir, 'users'));
    const { file } = await watch(join(dir, 'users'));
    for (const name of ['v2', 'v3', 'v4']) {
      await version(name);
      await vi.waitFor(() => expect(file.value).toBe(name), { timeout: 10_000 });
    }
  });

  test('keeps its value while its content is faulty, and says so once', async () => {
    const path = join(await temporaryDirectory(), 'file');
    await writeFile(path, 'one');
    const { file, errors } = await watch(path);
    await writeFile(path, 'bad');
    await vi.waitFor(() => expect(errors).toHaveLength(1), { timeout: 10_000 });
    expect(errors[0]).toBe(`${path} is not used, and its earlier content stays: the text is bad`);
    expect(await file.reload()).toBe(false);
    expect(errors).toHaveLength(1);
    expect(file.value).toBe('one');
    await writeFile(path, 'two');
    await vi.waitFor(() => expect(file.value).toBe('two'), { timeout: 10_000 });
    await writeFile(path, 'bad');
    await vi.waitFor(() => expect(errors).toHaveLength(2), { timeout: 10_000 });
  });

  test('keeps its value while it is missing, or is no file', async () => {
    const path = join(await temporaryDirectory(), 'file');
    await writeFile(path, 'one');
    const { file, errors } = await watch(path);
    await rm(path);
    await vi.waitFor(() => expect(errors).toHaveLength(1), { timeout: 10_000 });
    await mkdir(path);
    await vi.waitFor(() => expect(errors).toHaveLength(2), { timeout: 10_000 });
    expect(errors[0]).toContain('ENOENT');
    expect(errors[1]).toContain('a directory');
    expect(file.value).toBe('one');
    await rm(path, { recursive: true });
    await writeFile(path, 'two');
    await vi.waitFor(() => expect(file.value).toBe('two'), { timeout: 10_000 });
  });

  test('may be missing, if a text stands for that', async () => {
    const path = join(await temporaryDirectory(), 'file');
    const { file } = await watch(path, { whenMissing: 'none' });
    expect(file.value).toBe('none');
    await writeFile(path, 'one');
    await vi.waitFor(() => expect(file.value).toBe('one'), { timeout: 10_000 });
    await rm(path);
    await vi.waitFor(() => expect(file.value).toBe('none'), { timeout: 10_000 });
  });

  test('must be usable at first', async () => {
    const path = join(await temporaryDirectory(), 'file');
    await expect(watchFile(path, parse)).rejects.toThrow('ENOENT');
    await writeFile(path, 'bad');
    await expect(watchFile(path, parse)).rejects.toThrow('the text is bad');
  });

  test('is read at once on demand', async () => {
    const path = join(await temporaryDirectory(), 'file');
    await writeFile(path, 'one');
    const { file } = await watch(path, { interval: 60_000 });
    await writeFile(path, 'two');
    expect(await file.reload()).toBe(true);
    expect(file.value).toBe('two');
  });

  test('is not read after its watch has ended', async () => {
    const path = join(await temporaryDirectory(), 'file');
    await writeFile(path, 'one');
    const { file } = await watch(path);
    file.close();
    await writeFile(path, 'two');
    expect(await file.reload()).toBe(false);
    expect(file.value).toBe('one');
    expect(await readFile(path, 'utf8')).toBe('two');
  });
});
