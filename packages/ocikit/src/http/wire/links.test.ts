import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { formatNextLink, parseNextLink } from './links.ts';

test('the link to the next page has the relation "next" and a target that is encoded', () => {
  expect(formatNextLink('/v2/a/b/tags/list', new URLSearchParams({ n: '2', last: 'v1' }))).toBe(
    '</v2/a/b/tags/list?n=2&last=v1>; rel="next"',
  );
});

test('no parameter can end the target or the header', () => {
  const link = formatNextLink('/v2/_catalog', new URLSearchParams({ last: 'a>; rel="x"\r\nX: y&n=0#' }));
  expect(link).toMatch(/^<\/v2\/_catalog\?last=[^<>"\s&#]+>; rel="next"$/);
  const target = new URL(link.slice(1, link.indexOf('>')), 'https://example.com');
  expect(target.searchParams.get('last')).toBe('a>; rel="x"\r\nX: y&n=0#');
});

test('the link to any path and query has the same target after formatting and parsing', () => {
  fc.assert(
    fc.property(
      fc.array(fc.stringMatching(/^[a-z0-9._-]+$/)),
      fc.dictionary(fc.string(), fc.string()),
      (path, query) => {
        const parameters = new URLSearchParams(query);
        const target = `/v2/${path.join('/')}?${parameters.toString()}`;
        expect(parseNextLink(formatNextLink(`/v2/${path.join('/')}`, parameters))).toBe(target);
      },
    ),
  );
});

test.each([
  ['</a?n=1>; rel="next"', '/a?n=1'],
  ['</a?n=1>;rel=next', '/a?n=1'],
  ['<https://example.com/a>; REL = "Next"', 'https://example.com/a'],
  ['</a>; title="x, <y>; rel=\\"prev\\""; rel="last next"', '/a'],
  ['</first>; rel="first", </a,b>; rel=next', '/a,b'],
  [', ,</a>; rel=next', '/a'],
  ['</a>; rel=prev; rel=next', undefined],
  ['</a>', '/a'],
  ['</a>; title="rel=next"', '/a'],
  ['</a>; rel=""', undefined],
  ['</a>, </b>; rel=prev', undefined],
  ['</b>; rel=prev, </a>', '/a'],
  ['/a?n=1; rel=next', null],
  ['</a>; rel=prev', undefined],
  ["</a>; rel='next'", '/a'],
  ['next page', null],
  ['</a', null],
  ['</a>; rel=prev, what is this', null],
  [', ,', undefined],
  ['', undefined],
])('the header %s leads to %s', (header, target) => {
  expect(parseNextLink(header)).toBe(target);
});

test.each(["; a='b'", '; a="b"', '; a=b', '; a', ' ', ",</a>; rel='x"])(
  'a long header of %j that does not end as a link is no work',
  (part) => {
    expect(parseNextLink(`</a>${part.repeat(5000)};`)).toBeNull();
  },
);
