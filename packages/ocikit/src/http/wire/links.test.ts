import { expect, test } from 'vitest';

import { formatNextLink } from './links.ts';

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
