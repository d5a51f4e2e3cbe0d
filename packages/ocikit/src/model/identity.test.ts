import { describe, expect, test } from 'vitest';

import { anonymous, identityOf, isAnonymous } from './identity.ts';

describe('an identity', () => {
  test('without a user is anonymous, also one of another copy of this package', () => {
    expect(isAnonymous(anonymous)).toBe(true);
    expect(isAnonymous({ ...anonymous })).toBe(true);
    expect(isAnonymous(identityOf('alice'))).toBe(false);
  });

  test('that is anonymous cannot be changed', () => {
    expect(() => Object.assign(anonymous, { user: 'root' })).toThrow(TypeError);
    expect(() => (anonymous.groups as string[]).push('admins')).toThrow(TypeError);
  });

  test('of a user has the given details, and no others', () => {
    expect(identityOf('alice')).toEqual({ user: 'alice', groups: [], claims: {}, expires: undefined });
    expect(identityOf('alice', { groups: ['dev'], expires: 5 })).toMatchObject({ groups: ['dev'], expires: 5 });
  });
});
