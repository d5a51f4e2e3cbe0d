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

  test.each([
    ['localhost:5000/app:v1', 'localhost_5000/app'],
    ['Registry.Example.com:5000/a/b:v1', 'registry.example.com_5000/a/b'],
    ['my_host:5000/a:v1', 'my_host_5000/a'],
    ['Example.org/app:v1', 'example.org/app'],
  ])('with a host that cannot be in a repository name give a similar repository: %s', (name, repository) => {
    for (const names of [shared, withDefault]) expect(names.parse(name)).toEqual({ repository, tag: 'v1' });
  });

  test.each(['not a name', 'app:', '../app:v1', '/app:v1', 'Foo:Bar', 'Foo/bar:v1', null])(
    'mean nothing in a shared layout: %s',
    (name) => {
      expect(shared.parse(name)).toBeUndefined();
      expect(withDefault.parse(name)).toBeUndefined();
    },
  );

  test.each(['not a name', 'app:', '../app:v1', 'Foo:Bar', 'my_host:5000/a:1', `@${digest}`, `Foo@${digest}x`, null])(
    'that are unreadable in a layout of one repository give no tag: %s',
    (name) => {
      expect(singleNames('app').parse(name)).toEqual({ repository: 'app', tag: undefined });
    },
  );

  test.each([
    ['latest', 'docker.io/library/a:latest', 'docker.io/library/a', 'latest'],
    ['latest', 'localhost:5000/a:latest', 'localhost_5000/a', 'latest'],
    [`@${digest}`, `docker.io/library/a@${digest}`, 'docker.io/library/a', undefined],
    [`1.0@${digest}`, `docker.io/library/a:1.0@${digest}`, 'docker.io/library/a', '1.0'],
    [undefined, 'docker.io/library/a:latest', 'docker.io/library/a', 'latest'],
    [null, 'docker.io/library/a:latest', 'docker.io/library/a', 'latest'],
    ['app:v1', 'docker.io/library/a:latest', 'app', 'v1'],
  ])(
    'get their repository from the name that containerd gives the image: %s and %s',
    (name, image, repository, tag) => {
      expect(shared.parse(name, image)).toEqual({ repository, tag });
    },
  );

  test.each([
    [`@${digest}`, undefined],
    ['latest', 'latest'],
  ])('without a repository belong to the default repository, whatever containerd says: %s', (name, tag) => {
    expect(withDefault.parse(name, 'docker.io/library/a:latest')).toEqual({ repository: 'app', tag });
    expect(shared.parse(name)).toBeUndefined();
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

  test.each([
    [undefined, 'docker.io/library/a:3', '3'],
    ['not a name', 'docker.io/library/a:3', '3'],
    [null, 'docker.io/library/a:3', '3'],
    [`@${digest}`, `docker.io/library/a:3@${digest}`, '3'],
    ['4', 'docker.io/library/a:3', '4'],
    ['x/y:4', 'docker.io/library/a:3', '4'],
    ['x/y', 'not a name', undefined],
  ])("of a layout for one repository have the tag of containerd's name if they have none: %s", (name, image, tag) => {
    expect(singleNames('app').parse(name, image)).toEqual({ repository: 'app', tag });
  });

  test.each([
    [`1.0@${digest}`, '1.0'],
    ['registry.example.com:5000/a:1', '1'],
    [`host:5000/a:1@${digest}`, '1'],
  ])('of a layout for one repository may have a digest or a port: %s', (name, tag) => {
    expect(singleNames('app').parse(name)).toEqual({ repository: 'app', tag });
  });
});
