import { describe, expect, test } from 'vitest';

import { removeHtpasswdUser, setHtpasswdUser } from './htpasswd-text.ts';

const old = '$2y$05$LaVKcjqDoHBXFlgMr988mOKa.7S/sooS4oIQwpvVbcSyy5bRrx8nq';
const hash = '$2y$10$LaVKcjqDoHBXFlgMr988mOKa.7S/sooS4oIQwpvVbcSyy5bRrx8nq';

describe('setting a user in an htpasswd text', () => {
  test.each([
    ['', `alice:${hash}\n`],
    ['# users\n\nbob:x\n', `# users\n\nbob:x\nalice:${hash}\n`],
    ['bob:x', `bob:x\nalice:${hash}\n`],
    ['bob:x\r\n', `bob:x\r\nalice:${hash}\r\n`],
    [`alice:${old}\nbob:x\n`, `alice:${hash}\nbob:x\n`],
    [`bob:x\r\nalice:${old}\r\n# end`, `bob:x\r\nalice:${hash}\r\n# end`],
    [`\uFEFFalice:${old}`, `\uFEFFalice:${hash}`],
    [`alice:${old}\nno colon\nalice:other\n`, `alice:${hash}\nno colon\n`],
    [`alice2:x\nAlice:x\n#alice:x\n`, `alice2:x\nAlice:x\n#alice:x\nalice:${hash}\n`],
  ])('changes its line in %j and keeps the others', (text, expected) => {
    expect(setHtpasswdUser(text, 'alice', hash)).toBe(expected);
  });

  test.each([
    ['', 'empty'],
    ['a:b', 'colon'],
    ['#a', 'comment'],
    ['a\nb', 'control'],
    [' a', 'spaces'],
    ['a'.repeat(256), '255'],
  ])('refuses the name %j', (user, reason) => {
    expect(() => setHtpasswdUser('', user, hash)).toThrow(reason);
  });

  test('refuses a hash that is none', () => {
    expect(() => setHtpasswdUser('', 'alice', 'secret')).toThrow('no bcrypt hash');
  });
});

describe('removing a user from an htpasswd text', () => {
  test('removes all of its lines and keeps the others', () => {
    expect(removeHtpasswdUser(`# users\nalice:${old}\nbob:x\nalice:y`, 'alice')).toBe('# users\nbob:x\n');
  });

  test('says if there is none', () => {
    expect(removeHtpasswdUser('bob:x\n', 'alice')).toBeUndefined();
  });
});
