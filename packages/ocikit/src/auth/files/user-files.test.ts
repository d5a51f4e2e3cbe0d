import { execFile } from 'node:child_process';
import { chmod, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { describe, expect, onTestFinished, test, vi } from 'vitest';

import { temporaryDirectory } from '../../../test/temporary-directory.ts';

import { guardLogins } from '../logins/index.ts';
import { hashPassword, setHtpasswdUser } from '../passwords/index.ts';
import { openRobots } from '../robots/index.ts';
import { openSigningKeys, parseKeys } from '../tokens/index.ts';

import { editHtpasswdFile, htpasswdFile } from './htpasswd-file.ts';
import { keysFile } from './keys-file.ts';
import { robotsFile, watchRobots } from './robots-file.ts';

describe('an htpasswd file', () => {
  const lineOf = async (user: string, password: string): Promise<string> =>
    setHtpasswdUser('', user, await hashPassword(password, { cost: 4 }));

  test('changes who may log in, behind a guard too', async () => {
    const path = join(await temporaryDirectory(), 'users');
    await writeFile(path, await lineOf('alice', 'one'));
    const file = await htpasswdFile(path, { interval: 20 });
    onTestFinished(() => file.close());
    const users = guardLogins(file);
    expect(await users.check('alice', 'one')).toMatchObject({ user: 'alice' });
    expect(await users.check('bob', 'two')).toBeUndefined();
    await writeFile(path, await lineOf('bob', 'two'));
    await vi.waitFor(async () => expect(await users.check('alice', 'one')).toBeUndefined(), { timeout: 10_000 });
    expect(await users.check('bob', 'two')).toMatchObject({ user: 'bob' });
    expect(await users.find?.('alice')).toEqual([]);
  });

  test('that becomes faulty keeps its users', async () => {
    const path = join(await temporaryDirectory(), 'users');
    const text = await lineOf('alice', 'one');
    await writeFile(path, text);
    const errors: string[] = [];
    const file = await htpasswdFile(path, { interval: 20, onError: ({ message }) => errors.push(message) });
    onTestFinished(() => file.close());
    await writeFile(path, `${text}bob:$2y$10$half`);
    await vi.waitFor(() => expect(errors).toHaveLength(1), { timeout: 10_000 });
    expect(errors[0]).toContain('line 2: the user "bob" has an incomplete or damaged bcrypt hash');
    expect(await file.check('alice', 'one')).toMatchObject({ user: 'alice' });
  });
});

describe('the change of an htpasswd file', () => {
  const hash = '$2y$10$LaVKcjqDoHBXFlgMr988mOKa.7S/sooS4oIQwpvVbcSyy5bRrx8nq';
  const add = (path: string, user: string) => editHtpasswdFile(path, (text) => setHtpasswdUser(text, user, hash));

  test('makes a file that only its owner may read, and keeps the mode of one that exists', async () => {
    const dir = await temporaryDirectory();
    const path = join(dir, 'users');
    await add(path, 'alice');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await chmod(path, 0o640);
    await add(path, 'bob');
    expect((await stat(path)).mode & 0o777).toBe(0o640);
    expect(await readFile(path, 'utf8')).toBe(`alice:${hash}\nbob:${hash}\n`);
    expect(await readdir(dir)).toEqual(['users']);
  });

  test('loses no other change at the same time', async () => {
    const path = join(await temporaryDirectory(), 'users');
    await Promise.all(Array.from({ length: 10 }, (_, i) => add(path, `user-${i}`)));
    expect((await readFile(path, 'utf8')).split('\n')).toHaveLength(11);
  });

  test('that fails leaves the file as it was', async () => {
    const dir = await temporaryDirectory();
    const path = join(dir, 'users');
    await writeFile(path, 'as it was');
    await expect(editHtpasswdFile(path, () => setHtpasswdUser('', 'a:b', hash))).rejects.toThrow('colon');
    expect(await readFile(path, 'utf8')).toBe('as it was');
    expect(await readdir(dir)).toEqual(['users']);
  });
});

describe('a file of robots', () => {
  test('is made with the first one, and only its owner may read it', async () => {
    const dir = await temporaryDirectory();
    const path = join(dir, 'robots.json');
    const robots = await openRobots(robotsFile(path));
    expect(await robots.list()).toEqual([]);
    const { token } = await robots.create({ user: 'ci' });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(dir)).toEqual(['robots.json']);
    expect(await (await openRobots(robotsFile(path))).check('ci', token)).toMatchObject({ user: 'ci' });
  });

  test('stays behind its symbolic link', async () => {
    const dir = await temporaryDirectory();
    await writeFile(join(dir, 'real'), JSON.stringify({ version: 1, robots: [] }));
    await symlink('real', join(dir, 'link'));
    await (await openRobots(robotsFile(join(dir, 'link')))).create({ user: 'ci' });
    expect(await readFile(join(dir, 'real'), 'utf8')).toContain('"ci"');
  });

  test('loses no robot when many are made at the same time', async () => {
    const path = join(await temporaryDirectory(), 'robots.json');
    const robots = await openRobots(robotsFile(path));
    await Promise.all(Array.from({ length: 20 }, (_, i) => robots.create({ user: `ci-${i}` })));
    expect(await robots.list()).toHaveLength(20);
  });

  test('can be changed after a process with the lock was killed', async () => {
    const path = join(await temporaryDirectory(), 'robots.json');
    const started = await promisify(execFile)(process.execPath, ['-p', 'process.pid']);
    const { thisProcess } = await import('../../stores/disk/index.ts');
    await writeFile(`${path}.lock`, JSON.stringify({ ...thisProcess(), pid: Number(started.stdout), nonce: 'x' }));
    await (await openRobots(robotsFile(path))).create({ user: 'ci' });
    expect(await readFile(path, 'utf8')).toContain('"ci"');
  });

  test('that is faulty is neither used nor overwritten', async () => {
    const path = join(await temporaryDirectory(), 'robots.json');
    await writeFile(path, '{"version":1,"robots":[');
    await expect(openRobots(robotsFile(path))).rejects.toThrow(`${path} cannot be used: the file of robots is no JSON`);
    await expect(robotsFile(path).update((robots) => robots)).rejects.toThrow('no JSON');
    expect(await readFile(path, 'utf8')).toBe('{"version":1,"robots":[');
  });

  test('that is watched shows the changes of other processes', async () => {
    const path = join(await temporaryDirectory(), 'robots.json');
    const robots = await watchRobots(path, { interval: 20 });
    onTestFinished(() => robots.close());
    const elsewhere = await openRobots(robotsFile(path));
    const { token, robot } = await elsewhere.create({ user: 'ci' });
    await vi.waitFor(async () => expect(await robots.check('ci', token)).toBeDefined(), { timeout: 10_000 });
    await elsewhere.revoke(robot.id);
    await vi.waitFor(async () => expect(await robots.check('ci', token)).toBeUndefined(), { timeout: 10_000 });
  });
});

describe('a file of signing keys', () => {
  test('is made with the first key, readable by its owner alone, and loses no key', async () => {
    const path = join(await temporaryDirectory(), 'keys.json');
    let now = Date.parse('2026-01-01T00:00:00Z');
    const all = await Promise.all(Array.from({ length: 5 }, () => openSigningKeys(keysFile(path), { now: () => now })));
    const kids = await Promise.all(all.map(async (keys) => (await keys.current()).kid));
    expect(new Set(kids).size).toBe(1);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    now += 91 * 24 * 60 * 60_000;
    await Promise.all(all.map((keys) => keys.current()));
    expect(parseKeys(await readFile(path, 'utf8'))).toHaveLength(2);
  });

  test('that is faulty is neither used nor overwritten', async () => {
    const path = join(await temporaryDirectory(), 'keys.json');
    await writeFile(path, '{"keys":[');
    await expect(openSigningKeys(keysFile(path))).rejects.toThrow(`${path} cannot be used: the file of signing keys`);
    expect(await readFile(path, 'utf8')).toBe('{"keys":[');
  });
});
