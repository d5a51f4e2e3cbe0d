import { describe, expect, test } from 'vitest';

import { digestOf } from '../../../model/index.ts';
import type { Digest } from '../../../model/index.ts';

import {
  blobAddress,
  catalogAddress,
  manifestAddress,
  referrersAddress,
  registryBase,
  tagAddress,
  tagsAddress,
  uploadsAddress,
} from './addresses.ts';

const base = new URL('https://registry.test/');
const digest = digestOf(new Uint8Array());

describe('the base of a registry', () => {
  test.each([
    ['registry.test', 'https://registry.test/'],
    ['Registry.Test:5000', 'https://registry.test:5000/'],
    ['registry', 'https://registry/'],
    ['registry.test:443', 'https://registry.test/'],
    ['[2001:db8::1]:5000', 'https://[2001:db8::1]:5000/'],
    ['localhost', 'http://localhost/'],
    ['localhost:5000', 'http://localhost:5000/'],
    ['127.0.0.1:5000', 'http://127.0.0.1:5000/'],
    ['[::1]:5000', 'http://[::1]:5000/'],
    ['127.0.0.1.nip.test', 'https://127.0.0.1.nip.test/'],
    ['docker.io', 'https://registry-1.docker.io/'],
    ['index.docker.io', 'https://registry-1.docker.io/'],
    ['registry.hub.docker.com', 'https://registry-1.docker.io/'],
    ['registry-1.docker.io', 'https://registry-1.docker.io/'],
  ])('of %s is %s', (host, expected) => {
    expect(registryBase(host).href).toBe(expected);
  });

  test('has the scheme that is asked for', () => {
    expect(registryBase('registry.test:80', 'http').href).toBe('http://registry.test/');
    expect(registryBase('localhost:5000', 'https').href).toBe('https://localhost:5000/');
  });

  test.each([
    '',
    ' ',
    'registry.test/',
    'registry.test/path',
    'https://registry.test',
    'me@registry.test',
    'me:pw@registry.test',
    'registry.test?x',
    'registry.test#x',
    String.raw`registry.test\x`,
    'registry.test:port',
    'registry.test:',
    'registry.test:99999',
    'registry .test',
    'reg\nistry.test',
    'registry.test%2f',
    '127.1',
    '0x7f000001',
    '[::1',
    'münchen.test',
  ])('is not made of %j', (host) => {
    expect(() => registryBase(host)).toThrow(expect.objectContaining({ code: 'NAME_INVALID' }));
  });
});

test('spells the addresses of resources as the specification does', () => {
  expect(catalogAddress(base, { n: '5', last: 'a b' }).href).toBe('https://registry.test/v2/_catalog?n=5&last=a+b');
  expect(catalogAddress(base).href).toBe('https://registry.test/v2/_catalog');
  expect(blobAddress(base, 'a/blobs', digest).href).toBe(`https://registry.test/v2/a/blobs/blobs/${digest}`);
  expect(manifestAddress(base, 'a', digest).href).toBe(`https://registry.test/v2/a/manifests/${digest}`);
  expect(tagAddress(base, 'a', 'v1').href).toBe('https://registry.test/v2/a/manifests/v1');
  expect(tagsAddress(base, 'a', { n: undefined }).href).toBe('https://registry.test/v2/a/tags/list');
  expect(uploadsAddress(base, 'a', { mount: digest }).href).toBe(
    `https://registry.test/v2/a/blobs/uploads/?mount=${encodeURIComponent(digest)}`,
  );
  expect(referrersAddress(base, 'a', digest, { artifactType: 'x/y' }).href).toBe(
    `https://registry.test/v2/a/referrers/${digest}?artifactType=x%2Fy`,
  );
});

describe('no address is made of', () => {
  test.each(['', '.', '..', 'a/..', 'a//b', '/a', 'a/', 'A', 'a?b', 'a#b', 'a%2e', 'a\\b', 'a b'])(
    'the repository %j',
    (repository) => {
      for (const make of [
        () => tagsAddress(base, repository),
        () => tagAddress(base, repository, 'v1'),
        () => blobAddress(base, repository, digest),
        () => uploadsAddress(base, repository),
      ]) {
        expect(make).toThrow(expect.objectContaining({ code: 'NAME_INVALID' }));
      }
    },
  );

  test.each(['', '.', '..', digest, 'a/b', 'a?b', 'a%2fb', 'a b'])('the tag %j', (tag) => {
    expect(() => tagAddress(base, 'a', tag)).toThrow(expect.objectContaining({ code: 'MANIFEST_INVALID' }));
  });

  test.each(['', 'latest', 'sha256:', 'sha256:x', `${digest}/..`, 'md5:d41d8cd98f00b204e9800998ecf8427e'])(
    'the digest %j',
    (wrong) => {
      for (const make of [
        () => blobAddress(base, 'a', wrong as Digest),
        () => manifestAddress(base, 'a', wrong as Digest),
        () => referrersAddress(base, 'a', wrong as Digest),
      ]) {
        expect(make).toThrow(expect.objectContaining({ code: 'DIGEST_INVALID' }));
      }
    },
  );
});

test.each<[string, string]>([
  ['https://ghcr.io', "use host: 'ghcr.io'"],
  ['HTTPS://Ghcr.io/', "use host: 'ghcr.io'"],
  ['docker://quay.io', "use host: 'quay.io'"],
  ['//quay.io', "use host: 'quay.io'"],
  [' quay.io ', "use host: 'quay.io'"],
  ['http://localhost:5000', "use host: 'localhost:5000', scheme: 'http'"],
  ['ghcr.io/team/app', "use host: 'ghcr.io', and give the repository to each call"],
  ['localhost:5000/app:1', "use host: 'localhost:5000', and give the repository to each call"],
  ['https://docker.io/library/alpine', "use host: 'docker.io', and give the repository to each call"],
  ['https://münchen.example', "use host: 'xn--mnchen-3ya.example'"],
])('the host %s is refused, with what to write instead', (host, hint) => {
  expect(() => registryBase(host)).toThrow(expect.objectContaining({ code: 'NAME_INVALID' }));
  expect(() => registryBase(host)).toThrow(new RegExp(`${hint.replaceAll('.', '\\.')}$`));
});

test.each(['https://me:secret@ghcr.io', 'me:secret@ghcr.io/app'])(
  'the refusal of %s does not tell the password',
  (host) => {
    expect(() => registryBase(host)).toThrow("use host: 'ghcr.io'");
    expect(() => registryBase(host)).not.toThrow('secret');
  },
);

test.each(['ftp', 'https:', '', 'HTTP', 1, null])('the scheme %j is refused, with what to write instead', (scheme) => {
  const make = (): URL => registryBase('ghcr.io', scheme as 'http');
  expect(make).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }));
  expect(make).toThrow(`scheme is ${JSON.stringify(scheme)}: use 'https' or 'http'`);
});

test('a host that is missing is asked for', () => {
  expect(() => registryBase(undefined as unknown as string)).toThrow("a host is needed, such as host: 'ghcr.io'");
});
