import { describe, expect, test } from 'vitest';

import { digestOf } from '../../../model/index.ts';

import { sharedNames, singleNames } from './entry-names.ts';

const digest = digestOf(new Uint8Array());

describe('the names of entries', () => {
  const shared = sharedNames(undefined);
  const withDefault = sharedNames('app');

  test.each([
    ['library/alpine:3', { repository: 'library/alpine', tag: '3' }],
    [`library/alpine@${digest}`, { repository: 'library/alpine', tag: undefined }],
    [`library/alpine:3@${digest}`, { repository: 'library/alpine', tag: '3' }],
    ['library/alpine', { repository: 'library/alpine', tag: undefined }],
  ])('say the repository and the tag: %s', (name, expected) => {
    expect(shared.parse(name)).toEqual(expected);
    expect(withDefault.parse(name)).toEqual(expected);
  });

  test.each(['latest', 'V1.0', '', undefined])('belong to the default repository without one: %s', (name) => {
    expect(shared.parse(name)).toBeUndefined();
    expect(withDefault.parse(name)).toEqual({ repository: 'app', tag: name === '' ? undefined : name });
    expect(singleNames('x').parse(name)).toEqual({ repository: 'x', tag: name === '' ? undefined : name });
  });

  test('with a host that cannot be the beginning of a name mean nothing in an index for all', () => {
    expect(withDefault.parse('localhost:5000/app:v1')).toBeUndefined();
    expect(withDefault.parse('Example.org/app:v1')).toBeUndefined();
  });

  test.each(['not a name', 'app:', '../app:v1', '/app:v1'])('mean nothing here: %s', (name) => {
    expect(withDefault.parse(name)).toBeUndefined();
    expect(singleNames('app').parse(name)).toBeUndefined();
  });

  test('that were written are read as what they were', () => {
    for (const names of [shared, withDefault]) {
      for (const tag of [undefined, 'v1']) {
        expect(names.parse(names.format('app', tag, digest))).toEqual({ repository: 'app', tag });
        for (const name of ['other/app', 'docker.io/library/app', 'localhost/app']) {
          expect(names.parse(names.format(name, tag, digest))).toEqual({ repository: name, tag });
        }
      }
    }
  });

  test.each(['app:v1', 'other/app:v1', 'localhost/app:v1', 'docker.io/library/app:v1'])(
    'of a layout for one repository say its tag, whatever else they say: %s',
    (name) => {
      expect(singleNames('app').parse(name)).toEqual({ repository: 'app', tag: 'v1' });
    },
  );
});
