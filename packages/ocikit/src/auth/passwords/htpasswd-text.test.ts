import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { HtpasswdError, parseHtpasswd, removeHtpasswdUser, setHtpasswdUser } from './htpasswd-text.ts';

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

describe('any text', () => {
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom('alice:', `alice:${old}`, `bob:${hash}`, '# x', '', ' ', '\uFEFF'),
  );
  const texts = fc
    .array(fc.tuple(line, fc.constantFrom('\n', '\r\n', '\r', '')))
    .map((lines) => lines.map((parts) => parts.join('')).join(''));

  test('is read, or refused with the lines that are faulty', () => {
    fc.assert(
      fc.property(texts, (text) => {
        try {
          parseHtpasswd(text);
        } catch (error) {
          if (!(error instanceof HtpasswdError)) throw error;
          expect(error.problems.every((problem) => problem.line >= 1)).toBe(true);
        }
      }),
    );
  });

  test('has the user that was set, once, and no line of another user is changed', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const changed = setHtpasswdUser(text, 'alice', hash);
        expect(changed.split(`alice:${hash}`).length - 1).toBeGreaterThanOrEqual(1);
        expect(removeHtpasswdUser(setHtpasswdUser(changed, 'alice', hash), 'alice')).toBe(
          removeHtpasswdUser(changed, 'alice'),
        );
        expect(setHtpasswdUser(changed, 'alice', hash)).toBe(changed);
      }),
    );
  });
});
