import { describe, expect, test } from 'vitest';

import { identityOf } from '../../model/index.ts';

import { staticUsers } from './static-users.ts';
import { combineUsers, usersFrom } from './users.ts';

describe('static users', () => {
  test('log in with their password, and have their groups and claims', async () => {
    const users = staticUsers({
      alice: 'secret',
      ci: { password: 'x'.repeat(100), groups: ['robots'], claims: { a: 1 } },
    });
    expect(await users.check('alice', 'secret')).toMatchObject({ user: 'alice', groups: [] });
    expect(await users.check('ci', 'x'.repeat(100))).toMatchObject({ groups: ['robots'], claims: { a: 1 } });
    expect(await users.check('ci', 'x'.repeat(99))).toBeUndefined();
    expect(await users.check('alice', '')).toBeUndefined();
    expect(await users.check('bob', 'secret')).toBeUndefined();
    expect(await users.check('toString', 'secret')).toBeUndefined();
    // Both make the same text, if it were only joined.
    expect(await staticUsers({ a: 'b' }).check('a', 'b:')).toBeUndefined();
  });

  test.each([
    [{ alice: '' }, 'password of "alice" is empty'],
    [{ 'a:b': 'secret' }, 'colon'],
  ])('are refused as %j', (users, reason) => {
    expect(() => staticUsers(users)).toThrow(reason);
  });
});

describe('combined users', () => {
  test('are those of all, and the first that accepts a login gives the identity', async () => {
    const users = combineUsers(
      staticUsers({ alice: { password: 'one', groups: ['first'] } }),
      staticUsers({ alice: { password: 'one', groups: ['second'] }, bob: 'two' }),
    );
    expect(await users.check('alice', 'one')).toMatchObject({ groups: ['first'] });
    expect(await users.check('bob', 'two')).toMatchObject({ user: 'bob' });
    expect(await users.check('bob', 'one')).toBeUndefined();
    expect(await users.find?.('alice')).toHaveLength(2);
    expect(await users.find?.('carol')).toEqual([]);
  });

  test('cannot be looked up if some of them cannot', async () => {
    const own = usersFrom((user, password) => (password === 'own' ? identityOf(user) : undefined));
    const users = combineUsers(staticUsers({ alice: 'one' }), own);
    expect('find' in users).toBe(false);
    expect(await users.check('carol', 'own')).toMatchObject({ user: 'carol' });
  });

  test('pass on what changes, and the origin of a login', async () => {
    const listeners: (() => void)[] = [];
    const origins: unknown[] = [];
    const changing = {
      check: (_user: string, _password: string, origin?: object) => {
        origins.push(origin);
        return Promise.resolve(undefined);
      },
      onChange: (listener: () => void) => void listeners.push(listener),
    };
    const users = combineUsers(changing, staticUsers({}));
    let changes = 0;
    users.onChange?.(() => changes++);
    for (const listener of listeners) listener();
    expect(changes).toBe(1);
    await users.check('a', 'b', { address: '192.0.2.1' });
    expect(origins).toEqual([{ address: '192.0.2.1' }]);
  });
});
