import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { cpuTimeOf } from '../../test/cpu-time.ts';

import { RegistryError } from './errors.ts';
import {
  assertRepository,
  assertTag,
  formatReference,
  isHost,
  isRepository,
  isTag,
  ParseError,
  parseDockerReference,
  parseReference,
  parseRelativeReference,
} from './reference.ts';
import type { Reference, ReferencePart } from './reference.ts';

const sha256 = `sha256:${'0123456789abcdef'.repeat(4)}` as const;
const sha512 = `sha512:${'0123456789abcdef'.repeat(8)}` as const;
const name = (length: number): string => 'a'.repeat(length);

/** The error of a call that has to throw a {@link ParseError}. */
function parseErrorOf(call: () => unknown): ParseError {
  try {
    call();
  } catch (error) {
    if (error instanceof ParseError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const wellFormed: [string, Reference][] = [
  // One name, with and without tag and digest.
  ['alpine', { repository: 'alpine' }],
  ['alpine:3', { repository: 'alpine', tag: '3' }],
  [`alpine@${sha256}`, { repository: 'alpine', digest: sha256 }],
  [`alpine:3@${sha256}`, { repository: 'alpine', tag: '3', digest: sha256 }],
  [`alpine@${sha512}`, { repository: 'alpine', digest: sha512 }],
  // Without a slash after it, a text like a port is a tag.
  ['test.com:5000', { repository: 'test.com', tag: '5000' }],
  ['localhost:5000', { repository: 'localhost', tag: '5000' }],
  ['test:tag', { repository: 'test', tag: 'tag' }],
  // A host has a dot, a port or brackets, or is localhost.
  ['test.com/repo', { host: 'test.com', repository: 'repo' }],
  ['test.com/repo:tag', { host: 'test.com', repository: 'repo', tag: 'tag' }],
  ['test.com:5000/repo', { host: 'test.com:5000', repository: 'repo' }],
  ['test.com:5000/repo:tag', { host: 'test.com:5000', repository: 'repo', tag: 'tag' }],
  [`test:5000/repo@${sha256}`, { host: 'test:5000', repository: 'repo', digest: sha256 }],
  [`test:5000/repo:tag@${sha256}`, { host: 'test:5000', repository: 'repo', tag: 'tag', digest: sha256 }],
  [`test:5000/repo:tag@${sha512}`, { host: 'test:5000', repository: 'repo', tag: 'tag', digest: sha512 }],
  ['test:0/repo', { host: 'test:0', repository: 'repo' }],
  ['a/b', { repository: 'a/b' }],
  ['a/b/c:d', { repository: 'a/b/c', tag: 'd' }],
  ['library/alpine:3', { repository: 'library/alpine', tag: '3' }],
  // `localhost` is a host also without a port: everybody who writes it means this computer, not Docker Hub.
  ['localhost/foo', { host: 'localhost', repository: 'foo' }],
  ['localhost/foo:bar', { host: 'localhost', repository: 'foo', tag: 'bar' }],
  ['localhost:80/foo', { host: 'localhost:80', repository: 'foo' }],
  ['localhosts/foo', { repository: 'localhosts/foo' }],
  // Upper case belongs in a host.
  ['TEST.com/repo', { host: 'TEST.com', repository: 'repo' }],
  ['Uppercase:5000/lowercase', { host: 'Uppercase:5000', repository: 'lowercase' }],
  // Punycode and hyphens.
  ['xn--n3h.com/myimage:xn--n3h.com', { host: 'xn--n3h.com', repository: 'myimage', tag: 'xn--n3h.com' }],
  [
    `xn--7o8h.com/myimage:xn--7o8h.com@${sha512}`,
    { host: 'xn--7o8h.com', repository: 'myimage', tag: 'xn--7o8h.com', digest: sha512 },
  ],
  ['a-b.example/c', { host: 'a-b.example', repository: 'c' }],
  ['foo--bar/baz', { repository: 'foo--bar/baz' }],
  // Addresses.
  ['192.168.1.1', { repository: '192.168.1.1' }],
  ['192.168.1.1:8080', { repository: '192.168.1.1', tag: '8080' }],
  ['192.168.1.1/repo', { host: '192.168.1.1', repository: 'repo' }],
  ['192.168.1.1:8080/repo:tag', { host: '192.168.1.1:8080', repository: 'repo', tag: 'tag' }],
  ['[2001:db8::1]/repo', { host: '[2001:db8::1]', repository: 'repo' }],
  ['[2001:db8::1]:5000/repo', { host: '[2001:db8::1]:5000', repository: 'repo' }],
  ['[2001:DB8::1]:5000/repo:tag', { host: '[2001:DB8::1]:5000', repository: 'repo', tag: 'tag' }],
  [
    `[2001:db8::1]:5000/repo:tag@${sha256}`,
    { host: '[2001:db8::1]:5000', repository: 'repo', tag: 'tag', digest: sha256 },
  ],
  ['[2001:db8:1:2:3:4:5:6]/repo/path', { host: '[2001:db8:1:2:3:4:5:6]', repository: 'repo/path' }],
  ['[::]/repo', { host: '[::]', repository: 'repo' }],
  // An underscore does not belong in a host, so it begins a repository.
  ['foo_bar.com/image', { repository: 'foo_bar.com/image' }],
  ['foo_bar/image:1', { repository: 'foo_bar/image', tag: '1' }],
  ['foo/foo_bar.com:8080', { repository: 'foo/foo_bar.com', tag: '8080' }],
  ['a__b/c', { repository: 'a__b/c' }],
  // Tags.
  ['foo:_', { repository: 'foo', tag: '_' }],
  ['foo:A.b-C_9', { repository: 'foo', tag: 'A.b-C_9' }],
  [`foo:${name(128)}`, { repository: 'foo', tag: name(128) }],
  // Lengths: the host does not count.
  [name(255), { repository: name(255) }],
  [`test.com/${name(255)}`, { host: 'test.com', repository: name(255) }],
  [`${name(127)}/${name(127)}:${name(128)}`, { repository: `${name(127)}/${name(127)}`, tag: name(128) }],
];

const malformed: [string, ReferencePart][] = [
  ['', 'repository'],
  [':', 'tag'],
  [':tag', 'repository'],
  ['@', 'digest'],
  ['/', 'repository'],
  ['/foo', 'repository'],
  ['foo/', 'repository'],
  ['foo//bar', 'repository'],
  ['test.com/', 'repository'],
  ['test.com//foo', 'repository'],
  ['foo:', 'tag'],
  ['foo@', 'digest'],
  ['foo:@', 'digest'],
  [`foo:@${sha256}`, 'tag'],
  [`@${sha256}`, 'repository'],
  ['foo:bar:baz', 'tag'],
  ['foo:bar/baz', 'tag'],
  ['foo:5000/bar_', 'repository'],
  [`foo:${name(129)}`, 'tag'],
  ['foo:.bar', 'tag'],
  ['foo:-bar', 'tag'],
  ['foo:a+b', 'tag'],
  ['foo:grün', 'tag'],
  ['foo:bar ', 'tag'],
  ['foo:bar\n', 'tag'],
  [name(256), 'repository'],
  [`test.com/${name(256)}`, 'repository'],
  [`${name(128)}/${name(127)}`, 'repository'],
  ['Uppercase', 'repository'],
  ['Uppercase:tag', 'repository'],
  ['Uppercase/lowercase', 'repository'],
  ['test:5000/Uppercase/lowercase:tag', 'repository'],
  ['lowercase/Uppercase:tag', 'repository'],
  ['foo_bar:5000/image', 'tag'],
  ['a___b', 'repository'],
  ['a..b', 'repository'],
  ['a._b', 'repository'],
  ['.a/b', 'repository'],
  ['a./b', 'repository'],
  ['-foo/bar', 'repository'],
  ['foo/bar-', 'repository'],
  ['foo-/bar', 'repository'],
  ['foo.bar-/baz', 'repository'],
  ['-test.com/foo', 'repository'],
  ['aa/asdf$$^/aa', 'repository'],
  ['foo bar', 'repository'],
  [' foo', 'repository'],
  ['foo\n', 'repository'],
  ['grün/foo', 'repository'],
  ['foo\0', 'repository'],
  ['https://test.com/foo', 'tag'],
  ['../foo', 'repository'],
  ['[2001:db8::1]', 'tag'],
  ['[2001:db8::1]:5000', 'tag'],
  ['[fe80::1%eth0]/foo', 'tag'],
  ['[2001:db8:1.2.3.4]/foo', 'tag'],
  ['[]/foo', 'repository'],
  ['2001:db8::1/foo', 'tag'],
  ['test.com:/foo', 'tag'],
  ['test.com:port/foo', 'tag'],
  [`foo@${sha256.slice(0, -1)}`, 'digest'],
  [`foo@${sha256}0`, 'digest'],
  [`foo@${sha256.toUpperCase()}`, 'digest'],
  [`foo@sha512:${'0'.repeat(64)}`, 'digest'],
  ['foo@md5:d41d8cd98f00b204e9800998ecf8427e', 'digest'],
  [`foo@${sha256}@${sha256}`, 'digest'],
  [`foo@${sha256}:tag`, 'digest'],
  ['foo@bar', 'digest'],
];

describe('parsing a reference', () => {
  test.each(wellFormed)('accepts %.80s', (text, expected) => {
    expect(parseRelativeReference(text)).toStrictEqual(expected);
    expect(formatReference(expected)).toBe(text);
  });

  test.each(malformed)('refuses %j for its malformed %s', (text, part) => {
    const error = parseErrorOf(() => parseRelativeReference(text));
    expect(error).toMatchObject({ name: 'ParseError', input: text, part });
    expect(() => parseReference(text)).toThrow(ParseError);
    expect(() => parseDockerReference(text)).toThrow(ParseError);
  });

  test('fails with a RegistryError that has the code of the malformed part', () => {
    expect(parseErrorOf(() => parseReference('foo'))).toBeInstanceOf(RegistryError);
    expect(parseErrorOf(() => parseReference('foo')).code).toBe('NAME_INVALID');
    expect(parseErrorOf(() => parseReference('a.b/C')).code).toBe('NAME_INVALID');
    expect(parseErrorOf(() => parseReference('a.b/c:!')).code).toBe('MANIFEST_INVALID');
    expect(parseErrorOf(() => parseReference('a.b/c@d')).code).toBe('DIGEST_INVALID');
  });

  test('says what is wrong with a digest', () => {
    const error = parseErrorOf(() => parseReference('a.b/c@md5:00'));
    expect(error.message).toContain('"a.b/c@md5:00"');
    expect(error.message).toContain('"md5" is not supported');
    expect(error.cause).toMatchObject({ code: 'DIGEST_INVALID' });
  });

  test('does not repeat a very long text in its error', () => {
    const error = parseErrorOf(() => parseReference(`A${name(100_000)}`));
    expect(error.message.length).toBeLessThan(1000);
    expect(error.input).toHaveLength(100_001);
  });

  test('quickly refuses a long text that is nearly a host', () => {
    const took = cpuTimeOf(() => {
      for (const piece of ['a', 'a.', 'a-', 'a_', '::', 'a/', '[']) {
        expect(() => parseRelativeReference(`${piece.repeat(100_000)}!/foo`)).toThrow(ParseError);
      }
    });
    expect(took).toBeLessThan(10_000);
  });
});

describe('parsing a reference that has to name its host', () => {
  test.each(wellFormed.filter(([, { host }]) => host !== undefined))('accepts %.80s as it is', (text, expected) => {
    expect(parseReference(text)).toStrictEqual(expected);
  });

  test.each(wellFormed.filter(([, { host }]) => host === undefined))('refuses %.80s, which has none', (text) => {
    expect(parseErrorOf(() => parseReference(text))).toMatchObject({ part: 'host', code: 'NAME_INVALID' });
  });

  test('changes nothing about Docker Hub', () => {
    expect(parseReference('docker.io/ubuntu')).toStrictEqual({ host: 'docker.io', repository: 'ubuntu' });
    expect(parseReference('index.docker.io/foo')).toStrictEqual({ host: 'index.docker.io', repository: 'foo' });
  });
});

describe('parsing a reference as docker does', () => {
  test.each<[string, Reference]>([
    ['alpine', { host: 'docker.io', repository: 'library/alpine', tag: 'latest' }],
    ['alpine:3', { host: 'docker.io', repository: 'library/alpine', tag: '3' }],
    [`alpine@${sha256}`, { host: 'docker.io', repository: 'library/alpine', digest: sha256 }],
    [`alpine:3@${sha256}`, { host: 'docker.io', repository: 'library/alpine', tag: '3', digest: sha256 }],
    ['library/alpine', { host: 'docker.io', repository: 'library/alpine', tag: 'latest' }],
    ['user/app', { host: 'docker.io', repository: 'user/app', tag: 'latest' }],
    ['foo_bar.com/image', { host: 'docker.io', repository: 'foo_bar.com/image', tag: 'latest' }],
    ['docker.io/alpine', { host: 'docker.io', repository: 'library/alpine', tag: 'latest' }],
    ['docker.io/user/app:1', { host: 'docker.io', repository: 'user/app', tag: '1' }],
    ['index.docker.io/alpine', { host: 'docker.io', repository: 'library/alpine', tag: 'latest' }],
    ['index.docker.io/user/app', { host: 'docker.io', repository: 'user/app', tag: 'latest' }],
    ['registry-1.docker.io/alpine', { host: 'docker.io', repository: 'library/alpine', tag: 'latest' }],
    ['registry.hub.docker.com/user/app', { host: 'docker.io', repository: 'user/app', tag: 'latest' }],
    ['localhost/alpine', { host: 'localhost', repository: 'alpine', tag: 'latest' }],
    ['localhost:5000/alpine', { host: 'localhost:5000', repository: 'alpine', tag: 'latest' }],
    ['ghcr.io/app', { host: 'ghcr.io', repository: 'app', tag: 'latest' }],
    ['hub.docker.io/app', { host: 'hub.docker.io', repository: 'app', tag: 'latest' }],
    ['docker.io:443/app', { host: 'docker.io:443', repository: 'app', tag: 'latest' }],
    [`ghcr.io/app@${sha256}`, { host: 'ghcr.io', repository: 'app', digest: sha256 }],
    ['[::1]/app:1', { host: '[::1]', repository: 'app', tag: '1' }],
  ])('%.60s', (text, expected) => {
    expect(parseDockerReference(text)).toStrictEqual(expected);
  });

  test('counts library/ among the 255 characters', () => {
    expect(parseDockerReference(name(247)).repository).toBe(`library/${name(247)}`);
    const error = parseErrorOf(() => parseDockerReference(name(248)));
    expect(error).toMatchObject({ part: 'repository', code: 'NAME_INVALID' });
    expect(error.message).toContain('longer than 255');
    expect(parseErrorOf(() => parseDockerReference(`docker.io/${name(255)}`)).part).toBe('repository');
    expect(parseDockerReference(`test.com/${name(255)}`).repository).toBe(name(255));
    expect(parseDockerReference(`${name(100)}/${name(154)}`).repository).toHaveLength(255);
  });
});

describe('a host', () => {
  test.each([
    'example.com',
    'EXAMPLE.com',
    'a.b',
    '1.2',
    'x--y.z',
    'localhost',
    'localhost:1',
    'test:5000',
    '10.0.0.1:80',
    '[::1]',
    '[::1]:443',
    '[ABCD:ef::]',
  ])('may be %s', (host) => expect(isHost(host)).toBe(true));

  test.each([
    '',
    'example',
    'LOCALHOST',
    '.com',
    'example.',
    'a..b',
    '-a.b',
    'a-.b',
    'a_b.c',
    'example.com:',
    'example.com:x',
    ':80',
    '::1',
    '[]',
    '[::1',
    '[::1]:',
    '[::1%25lo]',
    '[::ffff:1.2.3.4]',
    'user@example.com',
    'example.com/',
    'example.com\n',
    'grün.example',
  ])('may not be %j', (host) => expect(isHost(host)).toBe(false));
});

describe('asserting', () => {
  test('a repository’s name passes or is NAME_INVALID, saying which', () => {
    expect(() => assertRepository('a/b')).not.toThrow();
    expect(() => assertRepository('a/B')).toThrow(
      expect.objectContaining({ code: 'NAME_INVALID', detail: { name: 'a/B' } }),
    );
  });

  test('a tag passes or is MANIFEST_INVALID, saying which', () => {
    expect(() => assertTag('v1')).not.toThrow();
    expect(() => assertTag('a:b')).toThrow(
      expect.objectContaining({ code: 'MANIFEST_INVALID', detail: { tag: 'a:b' } }),
    );
  });
});

const run = fc.stringMatching(/^[a-z0-9]{1,6}$/);
const separator = fc.constantFrom('.', '_', '__', '-', '--', '-----');

const component = fc
  .tuple(run, fc.array(fc.tuple(separator, run), { maxLength: 2 }))
  .map(([first, rest]) => first + rest.flat().join(''));
const repository = fc.array(component, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const tag = fc.stringMatching(/^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/);
const digest = fc.constantFrom(sha256, sha512);
const label = fc.stringMatching(/^[a-zA-Z0-9]([a-zA-Z0-9-]{0,5}[a-zA-Z0-9])?$/);
const port = fc.option(fc.nat({ max: 65_535 }), { nil: undefined });
const withPort = (host: string, number: number | undefined): string =>
  number === undefined ? host : `${host}:${number}`;
const host = fc
  .oneof(
    fc.tuple(
      fc.array(label, { minLength: 2, maxLength: 4 }).map((labels) => labels.join('.')),
      port,
    ),
    fc.tuple(fc.constant('localhost'), port),
    fc.tuple(label, fc.nat({ max: 65_535 })),
    fc.tuple(fc.ipV4(), port),
    fc.tuple(
      fc.stringMatching(/^[0-9a-f]{0,4}(:[0-9a-f]{0,4}){2,7}$/).map((address) => `[${address}]`),
      port,
    ),
  )
  .map(([bare, number]) => withPort(bare, number));
const absolute = fc.record({ host, repository, tag, digest }, { requiredKeys: ['host', 'repository'] });
const relative = fc.record({ repository, tag, digest }, { requiredKeys: ['repository'] });

describe('for all references', () => {
  test('parsing is the inverse of formatting, with a host', () => {
    fc.assert(
      fc.property(absolute, (reference) => {
        expect(parseReference(formatReference(reference))).toStrictEqual({ ...reference });
      }),
    );
  });

  test('parsing is the inverse of formatting, without a host, unless the repository begins like one', () => {
    fc.assert(
      fc.property(relative, (reference) => {
        const [first = '', ...rest] = reference.repository.split('/');
        fc.pre(rest.length === 0 || !isHost(first));
        expect(parseRelativeReference(formatReference(reference))).toStrictEqual({ ...reference });
      }),
    );
  });

  test('whatever text is accepted, formatting gives it back, and every part is well formed', () => {
    const pieces = fc.constantFrom(
      'a',
      'b.c',
      'localhost',
      '/',
      ':',
      '@',
      ':5000',
      '_',
      '-',
      '[::1]',
      sha256,
      'X',
      '.',
    );
    const text = fc.array(pieces, { maxLength: 8 }).map((all) => all.join(''));
    fc.assert(
      fc.property(fc.oneof(text, fc.string()), (any) => {
        let parsed: Reference;
        try {
          parsed = parseRelativeReference(any);
        } catch (error) {
          expect(error).toBeInstanceOf(ParseError);
          return;
        }
        expect(formatReference(parsed)).toBe(any);
        expect(isRepository(parsed.repository)).toBe(true);
        expect(parsed.host === undefined || isHost(parsed.host)).toBe(true);
        expect(parsed.tag === undefined || isTag(parsed.tag)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  test('what docker’s rules made of a text, they leave as it is', () => {
    fc.assert(
      fc.property(fc.oneof(absolute, relative), (reference) => {
        const parsed = parseDockerReference(formatReference(reference));
        expect(parseDockerReference(formatReference(parsed))).toStrictEqual(parsed);
        expect(parsed.host !== 'docker.io' || parsed.repository.includes('/')).toBe(true);
      }),
    );
  });
});
