import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { buildPath, parsePath } from './routes.ts';
import type { Route } from './routes.ts';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;

/** Any well-formed text. */
const anyText = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 0x10ffff }), fc.constantFrom(0, 0x25, 0x2e, 0x2f, 0x7f, 0xfeff)), {
    maxLength: 40,
  })
  .map((codes) => String.fromCodePoint(...codes.filter((code) => code < 0xd800 || code > 0xdfff)));

describe('a path', () => {
  test.each<[string, Route]>([
    ['/v2/', { resource: 'base' }],
    ['/v2/_catalog', { resource: 'catalog' }],
    [`/v2/a/blobs/${digest}`, { resource: 'blob', repository: 'a', digest }],
    [`/v2/a/b/c/blobs/${digest}`, { resource: 'blob', repository: 'a/b/c', digest }],
    ['/v2/a/blobs/uploads/', { resource: 'uploads', repository: 'a' }],
    ['/v2/a/b/blobs/uploads/1-2_3', { resource: 'upload', repository: 'a/b', id: '1-2_3' }],
    ['/v2/a/blobs/uploads/~YS9i', { resource: 'upload', repository: 'a', id: 'a/b' }],
    ['/v2/a/manifests/v1.0', { resource: 'manifest', repository: 'a', reference: 'v1.0' }],
    [`/v2/a/b/manifests/${digest}`, { resource: 'manifest', repository: 'a/b', reference: digest }],
    ['/v2/a/tags/list', { resource: 'tags', repository: 'a' }],
    [`/v2/a/referrers/${digest}`, { resource: 'referrers', repository: 'a', digest }],
    // Names of resources as components of a repository, and as tags and ids.
    ['/v2/blobs/blobs/x', { resource: 'blob', repository: 'blobs', digest: 'x' }],
    ['/v2/blobs/uploads/blobs/uploads/', { resource: 'uploads', repository: 'blobs/uploads' }],
    ['/v2/blobs/uploads/blobs/uploads/uploads', { resource: 'upload', repository: 'blobs/uploads', id: 'uploads' }],
    ['/v2/a/blobs/uploads/manifests/x', { resource: 'manifest', repository: 'a/blobs/uploads', reference: 'x' }],
    ['/v2/manifests/manifests/manifests', { resource: 'manifest', repository: 'manifests', reference: 'manifests' }],
    ['/v2/tags/list/tags/list', { resource: 'tags', repository: 'tags/list' }],
    ['/v2/tags/manifests/list', { resource: 'manifest', repository: 'tags', reference: 'list' }],
    ['/v2/a/blobs/uploads/blobs', { resource: 'upload', repository: 'a', id: 'blobs' }],
    ['/v2/v2/referrers/x', { resource: 'referrers', repository: 'v2', digest: 'x' }],
  ])('%s is parsed as the route %j and built from it', (path, route) => {
    expect(parsePath(path)).toStrictEqual(route);
    expect(buildPath(route)).toBe(path);
  });

  test.each<[string, Route]>([
    ['/v2', { resource: 'base' }],
    ['/v2/a/blobs/uploads', { resource: 'uploads', repository: 'a' }],
    [`/v2/a/blobs/sha256%3A00`, { resource: 'blob', repository: 'a', digest: 'sha256:00' }],
    ['/v2/a/manifests/v%31', { resource: 'manifest', repository: 'a', reference: 'v1' }],
    ['/v2/a/manifests/a%2Fb', { resource: 'manifest', repository: 'a', reference: 'a/b' }],
    ['/v2/a/manifests/a+b', { resource: 'manifest', repository: 'a', reference: 'a+b' }],
    ['/v2/a/blobs/uploads/%7EYS9i', { resource: 'upload', repository: 'a', id: 'a/b' }],
    ['/v2/a/manifests/', { resource: 'manifest', repository: 'a', reference: '' }],
    ['/v2/a/blobs/', { resource: 'blob', repository: 'a', digest: '' }],
  ])('%s is also parsed as %j', (path, route) => {
    expect(parsePath(path)).toStrictEqual(route);
  });

  test.each([
    '',
    '/',
    'v2/',
    '/v1/',
    '/v2x',
    '/V2/',
    '//v2/',
    '/v2//',
    '/v2/a',
    '/v2/_catalog/',
    '/v2/_catalog/x',
    '/v2/a/b',
    '/v2/a/tags',
    '/v2/a/tags/',
    '/v2/a/tags/list/',
    '/v2/a/tags/list/x',
    '/v2/a/tags/x',
    '/v2/a/uploads/x',
    '/v2/a/uploads/',
    '/v2/a/blob/x',
    '/v2/a/Manifests/x',
    '/v2/a/blobs/uploads/x/y',
    '/v2/a/manifests/x/y',
    '/v2/a/manifests/x/',
    '/v2/a/referrers',
    '/a/v2/_catalog',
  ])('%j is not part of the API', (path) => {
    expect(parsePath(path)).toBeUndefined();
  });

  test.each([
    '/v2/manifests/x',
    '/v2//manifests/x',
    '/v2/A/manifests/x',
    '/v2/a//b/manifests/x',
    '/v2/a//manifests/x',
    '/v2/../manifests/x',
    '/v2/a/../b/blobs/x',
    '/v2/a%2Fb/manifests/x',
    '/v2/%61/manifests/x',
    '/v2/a b/tags/list',
    '/v2/a./tags/list',
    '/v2/ä/referrers/x',
    '/v2/blobs/uploads/',
    '/v2/blobs/uploads/x',
    '/v2/_a/blobs/uploads/',
    `/v2/${'a'.repeat(256)}/manifests/x`,
  ])('%.40j has a malformed repository', (path) => {
    expect(() => parsePath(path)).toThrow(expect.objectContaining({ code: 'NAME_INVALID' }));
  });

  test.each(['/v2/a/manifests/%', '/v2/a/blobs/%zz', '/v2/a/blobs/uploads/%E0%A4', '/v2/a/referrers/%ff'])(
    '%s has a malformed percent-encoding',
    (path) => {
      expect(() => parsePath(path)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
    },
  );
});

describe('any path or route', () => {
  const word = fc.oneof(
    fc.constantFrom('blobs', 'manifests', 'tags', 'uploads', 'referrers', 'list', 'v2'),
    fc.stringMatching(/^[a-z0-9]{1,5}((\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}$/),
  );
  const repository = fc.array(word, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
  const hex = fc.stringMatching(/^[0-9a-f]{64}$/).map((encoded) => `sha256:${encoded}`);
  const tag = fc.oneof(word, fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}$/));
  const id = fc.oneof(
    word,
    fc.constantFrom('', '.', '..', '~', '/', '%2F', '?', '#'),
    anyText,
    fc.webUrl({ withQueryParameters: true, withFragments: true }),
  );
  const route: fc.Arbitrary<Route> = fc.oneof(
    fc.constantFrom<Route>({ resource: 'base' }, { resource: 'catalog' }),
    fc.record({ resource: fc.constant('blob'), repository, digest: hex }),
    fc.record({ resource: fc.constant('uploads'), repository }),
    fc.record({ resource: fc.constant('upload'), repository, id }),
    fc.record({ resource: fc.constant('manifest'), repository, reference: fc.oneof(tag, hex) }),
    fc.record({ resource: fc.constant('tags'), repository }),
    fc.record({ resource: fc.constant('referrers'), repository, digest: hex }),
  );

  test('is the same route after building and parsing', () => {
    fc.assert(
      fc.property(route, (any) => {
        expect(parsePath(buildPath(any))).toStrictEqual({ ...any });
      }),
      { numRuns: 2000 },
    );
  });

  test('is not changed by a URL parser', () => {
    fc.assert(
      fc.property(route, (any) => {
        const path = buildPath(any);
        expect(new URL(`https://registry.example${path}`).pathname).toBe(path);
      }),
      { numRuns: 500 },
    );
  });

  test('is a route, no part of the API, or an error that tells the problem', () => {
    const piece = fc.constantFrom(
      'v2',
      'a',
      'A',
      '',
      'blobs',
      'uploads',
      'manifests',
      'tags',
      'list',
      '%',
      '..',
      '_catalog',
    );
    const path = fc.oneof(
      anyText,
      fc.array(piece, { maxLength: 8 }).map((parts) => `/v2/${parts.join('/')}`),
    );
    fc.assert(
      fc.property(path, (any) => {
        try {
          const parsed = parsePath(any);
          if (parsed !== undefined) expect(parsePath(buildPath(parsed))).toBeDefined();
        } catch (error) {
          expect(['NAME_INVALID', 'BAD_REQUEST']).toContain((error as { code?: unknown }).code);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
