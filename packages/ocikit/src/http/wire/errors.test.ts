import { expect, test } from 'vitest';

import { RegistryError, toWireError } from '../../model/index.ts';

import { errorBody } from './errors.ts';

test('the body of an error is the specification’s JSON', () => {
  const error = new RegistryError('NAME_UNKNOWN', 'no "such" repository', { detail: { name: 'a' } });
  expect(errorBody(toWireError(error))).toBe(
    '{"errors":[{"code":"NAME_UNKNOWN","message":"no \\"such\\" repository","detail":{"name":"a"}}]}',
  );
});

test('the body of an error may have several entries, and has no other fields', () => {
  const errors = [{ code: 'DENIED' }, { code: 'TAG_INVALID', message: 'x' }];
  expect(JSON.parse(errorBody({ errors, status: 403, retryAfter: 3 } as { errors: typeof errors }))).toEqual({
    errors,
  });
});
