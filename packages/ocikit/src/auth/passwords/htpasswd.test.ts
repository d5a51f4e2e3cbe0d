import { beforeAll, describe, expect, test } from 'vitest';

import type { Bcrypt } from '../bcrypt/index.ts';

import { hashPassword } from './hash-password.ts';
import { htpasswd } from './htpasswd.ts';
import { HtpasswdError } from './htpasswd-text.ts';

/** The hash of the password `secret`. */
let hash = '';
beforeAll(async () => {
  hash = await hashPassword('secret', { cost: 4 });
});

/** Records which hashes are compared. */
function recordingBcrypt(compared: string[]): Bcrypt {
  return {
    compare: (_password, known) => {
      compared.push(known);
      return Promise.resolve(true);
    },
    hash: () => Promise.reject(new Error('not used')),
  };
}

describe('users of an htpasswd text', () => {
  test('log in with their password, and with no other', async () => {
    const users = htpasswd(`alice:${hash}\n`);
    expect(await users.check('alice', 'secret')).toMatchObject({ user: 'alice', groups: [] });
    for (const [user, password] of [
      ['alice', 'Secret'],
      ['alice', ''],
      ['alice', 'secret '],
      ['Alice', 'secret'],
      ['bob', 'secret'],
      ['', 'secret'],
      ['alice:', 'secret'],
      ['constructor', 'secret'],
    ] as const) {
      expect(await users.check(user, password), `${user} ${password}`).toBeUndefined();
    }
  });

  test.each(['2a', '2b', '2x', '2y'])('may have a hash of the form $%s$', async (version) => {
    const users = htpasswd(`alice:${hash.replace('$2y$', `$${version}$`)}`);
    expect(await users.check('alice', 'secret')).toBeDefined();
    expect(await users.check('alice', 'wrong')).toBeUndefined();
  });

  test('may have a hash made by htpasswd of Apache', async () => {
    // htpasswd -nbB -C 5 alice secret
    const users = htpasswd('alice:$2y$05$LaVKcjqDoHBXFlgMr988mOKa.7S/sooS4oIQwpvVbcSyy5bRrx8nq');
    expect(await users.check('alice', 'secret')).toBeDefined();
  });

  test('may have a salt whose last character has bits that do not count', async () => {
    const users = htpasswd('alice:$2y$05$LaVKcjqDoHBXFlgMr988mRKa.7S/sooS4oIQwpvVbcSyy5bRrx8nq');
    expect(await users.check('alice', 'secret')).toBeDefined();
  });

  test('have no password of more than 72 bytes, nor one with a NUL, which bcrypt cannot tell from shorter ones', async () => {
    const long = 'x'.repeat(72);
    const users = htpasswd(`alice:${hash}\nbob:${await hashPassword(long, { cost: 4 })}`);
    expect(await users.check('bob', long)).toBeDefined();
    expect(await users.check('bob', `${long}x`)).toBeUndefined();
    expect(await users.check('alice', 'secret\0secret')).toBeUndefined();
    expect(await users.check('alice', 'é'.repeat(37))).toBeUndefined();
  });

  test('that are unknown cost one comparison with a hash of the same cost, and never log in', async () => {
    const compared: string[] = [];
    const users = htpasswd(`alice:${hash.replace('$04$', '$07$')}`, { bcrypt: recordingBcrypt(compared) });
    expect(await users.check('nobody', 'secret')).toBeUndefined();
    expect(await users.check('alice', 'secret')).toBeDefined();
    expect(compared.map((text) => text.slice(0, 7))).toEqual(['$2b$07$', '$2b$07$']);
    expect(compared.map((text) => text.length)).toEqual([60, 60]);
  });

  test('that are unknown have the costs of the known ones, each name always the same', async () => {
    const compared: string[] = [];
    const users = htpasswd(`a:${hash}\nb:${hash.replace('$04$', '$06$')}`, { bcrypt: recordingBcrypt(compared) });
    for (let i = 0; i < 100; i++) await users.check(`user-${i % 50}`, 'secret');
    const costs = compared.map((text) => text.slice(4, 6));
    expect(new Set(costs)).toEqual(new Set(['04', '06']));
    expect(costs.slice(0, 50)).toEqual(costs.slice(50));
  });

  test('can be found with a stamp that changes with the password', async () => {
    const users = htpasswd(`alice:${hash}`);
    const [entry] = (await users.find?.('alice')) ?? [];
    expect(entry?.identity).toBe(await users.check('alice', 'secret'));
    expect(await users.find?.('bob')).toEqual([]);
    const changed = htpasswd(`alice:${await hashPassword('secret', { cost: 4 })}`);
    expect((await changed.find?.('alice'))?.[0]?.stamp).not.toBe(entry?.stamp);
    expect((await htpasswd(`alice:${hash}`).find?.('alice'))?.[0]?.stamp).toBe(entry?.stamp);
  });

  test('are refused by a bcrypt that cannot be loaded, and not as if the password were wrong', async () => {
    const bcrypt: Bcrypt = { compare: () => Promise.reject(new Error('no bcrypt')), hash: () => Promise.resolve('') };
    await expect(htpasswd(`alice:${hash}`, { bcrypt }).check('alice', 'secret')).rejects.toThrow('no bcrypt');
  });

  test('may be none', async () => {
    expect(await htpasswd('# nobody yet\n').check('alice', 'secret')).toBeUndefined();
  });
});

describe('a faulty htpasswd text', () => {
  const problemsOf = (text: string): readonly { line: number; message: string }[] => {
    try {
      htpasswd(text);
    } catch (error) {
      if (error instanceof HtpasswdError) return error.problems;
      throw error;
    }
    return [];
  };

  test.each([
    ['alice:$apr1$abc$0123456789012345678901', 'an MD5 hash'],
    ['alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=', 'an SHA-1 hash'],
    ['alice:$5$rounds=5000$salt$hash', 'an SHA-256 hash'],
    ['alice:$6$salt$hash', 'an SHA-512 hash'],
    ['alice:$argon2id$v=19$m=65536', 'a hash of another kind than bcrypt'],
    ['alice:secret', 'no bcrypt hash (perhaps the password itself)'],
    ['alice:', 'no hash'],
    ['alice:$2y$10$abc', 'an incomplete or damaged bcrypt hash'],
    ['alice:$2z$10$LaVKcjqDoHBXFlgMr988mOKa.7S/sooS4oIQwpvVbcSyy5bRrx8nq', 'no bcrypt hash'],
    ['alice:$2y$03$LaVKcjqDoHBXFlgMr988mOKa.7S/sooS4oIQwpvVbcSyy5bRrx8nq', 'cost 03, which must be 04 to 31'],
    ['alice:$2y$31$LaVKcjqDoHBXFlgMr988mOKa.7S/sooS4oIQwpvVbcSyy5bRrx8nq', 'at most 16 is allowed'],
    ['alice:$2y$05$LaVKcjqDoHBXFlgMr988mOKa.7S/sooS4oIQwpvVbcSyy5bRrx8nr', 'a damaged bcrypt hash'],
    ['alice:$2y$05$LaVKcjqDoHBXFlgMr988mOKa.7S/sooS4oIQwpvVbcSyy5bRrx8nq:more', 'bcrypt hash'],
  ])('is refused with its line and what to run: %s', (line, problem) => {
    const problems = problemsOf(`# users\n\n${line}\n`);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.line).toBe(3);
    expect(problems[0]?.message).toContain(problem);
    expect(problems[0]?.message).toContain('Run `ocikit htpasswd FILE alice`');
  });

  test('is refused with all of its faults, and shows neither hashes nor passwords', () => {
    const text = ['no colon at all', `alice:${hash}`, ':secret1', `alice:${hash}`, 'bob:secret2', 'x\u0001y:z'].join(
      '\r\n',
    );
    const problems = problemsOf(text);
    expect(problems.map(({ line }) => line)).toEqual([1, 3, 4, 5, 6]);
    expect(problems[2]?.message).toContain('already on line 2');
    expect(JSON.stringify(problems)).not.toMatch(/secret[12]|\$2y\$/);
  });

  test('that ends in the middle of a hash is refused', () => {
    const whole = `alice:${hash}\nbob:${hash}\n`;
    for (let cut = whole.indexOf('\n') + 2; cut < whole.length - 1; cut++) {
      expect(problemsOf(whole.slice(0, cut)), whole.slice(0, cut)).toHaveLength(1);
    }
  });

  test('quotes odd names in the command to run', () => {
    expect(problemsOf("o'hara x:y")[0]?.message).toContain(String.raw`ocikit htpasswd FILE 'o'\''hara x'`);
  });
});

describe('an htpasswd text with a byte order mark, CRLF and spaces around lines', () => {
  test('is read', async () => {
    const users = htpasswd(`\uFEFFalice:${hash} \r\n  bob:${hash}\r\n`);
    expect(await users.check('alice', 'secret')).toBeDefined();
    expect(await users.check('bob', 'secret')).toBeDefined();
  });
});

describe('a hash of a password', () => {
  test('has the given cost', async () => {
    expect(await hashPassword('secret', { cost: 5 })).toMatch(/^\$2y\$05\$[./A-Za-z0-9]{53}$/);
  });

  test.each([
    ['', 'empty'],
    ['x'.repeat(73), '73 bytes'],
    ['a\0b', 'NUL'],
  ])('is not made of %j', async (password, reason) => {
    await expect(hashPassword(password)).rejects.toThrow(reason);
  });

  test.each([3, 17, 4.5, NaN])('is not made at the cost %d', async (cost) => {
    await expect(hashPassword('secret', { cost })).rejects.toThrow(RangeError);
  });
});
