import { describe, expect, test } from 'vitest';

import { httpError, maxErrorBody, parseRetryAfter, redactUrl } from './errors.ts';

const url = new URL('https://registry.test/v2/a/tags/list?n=5');

function errorFor(body: string, status = 404, headers: Record<string, string> = {}): ReturnType<typeof httpError> {
  return httpError({ method: 'GET', url, status, headers: new Headers(headers), body: new TextEncoder().encode(body) });
}

describe('an HTTP error', () => {
  test('has the entries of a JSON body, whatever its Content-Type is', () => {
    const error = errorFor(
      '{"errors":[{"code":"NAME_UNKNOWN","message":"no","detail":{"name":"a"}},{"code":"OTHER"}]}',
    );
    expect(error.code).toBe('NAME_UNKNOWN');
    expect(error.errors).toEqual([{ code: 'NAME_UNKNOWN', message: 'no', detail: { name: 'a' } }, { code: 'OTHER' }]);
    expect(error.detail).toEqual({ name: 'a' });
  });

  test.each([
    ['not JSON', '<html>404</html>'],
    ['a number', '5'],
    ['null', 'null'],
    ['no list', '{"errors":"many"}'],
    ['an empty list', '{"errors":[]}'],
    ['entries that are none', '{"errors":[null,5,{"code":7},{"message":"x"}]}'],
  ])('has the code of its status and the raw body if that is %s', (_, body) => {
    const error = errorFor(body);
    expect(error).toMatchObject({ code: 'NOT_FOUND', status: 404, errors: [], body });
  });

  test('leaves out a message that is no text', () => {
    expect(errorFor('{"errors":[{"code":"DENIED","message":{"a":1}}]}', 403).errors).toEqual([{ code: 'DENIED' }]);
  });

  test('has the code that the request knows, if the answer does not say one', () => {
    const refused = { method: 'HEAD', url, status: 404, headers: new Headers() };
    const none = new Uint8Array();
    expect(httpError({ ...refused, body: none }, 'BLOB_UNKNOWN').code).toBe('BLOB_UNKNOWN');
    const said = new TextEncoder().encode('{"errors":[{"code":"NAME_UNKNOWN"}]}');
    expect(httpError({ ...refused, body: said }, 'BLOB_UNKNOWN').code).toBe('NAME_UNKNOWN');
    expect(httpError({ ...refused, body: none }).code).toBe('NOT_FOUND');
    expect(httpError({ ...refused, status: 405, body: none }, 'BLOB_UNKNOWN').code).toBe('UNSUPPORTED');
  });

  test('names method and URL, without what may be secret', () => {
    const secret = new URL('https://me:pw@s3.test/blob?X-Amz-Signature=abc&digest=sha256:1&x=1&x=2#frag');
    const headers = new Headers();
    const error = httpError({ method: 'PUT', url: secret, status: 500, headers, body: new Uint8Array() });
    expect(error.url).toBe('https://s3.test/blob?X-Amz-Signature=redacted&digest=sha256%3A1&x=redacted');
    for (const hidden of ['abc', 'pw', 'me@', 'frag']) expect(String(error)).not.toContain(hidden);
  });

  test('keeps 8 KiB of a body', () => {
    expect(maxErrorBody).toBe(8192);
  });
});

test('redacting a URL keeps the parameters that help and are never secret', () => {
  const plain =
    'https://a.test/v2/?scope=a&service=b&n=1&last=c&digest=d&mount=e&from=f&artifactType=g&tag=h&tag=i&ns=j';
  expect(redactUrl(new URL(plain))).toBe(plain);
  expect(redactUrl(new URL('https://a.test/?_state=s&token=t'))).toBe('https://a.test/?_state=redacted&token=redacted');
});

describe('Retry-After', () => {
  test.each([
    ['120', 120],
    [' 0 ', 0],
    ['soon', undefined],
    ['-5', undefined],
    ['1.5', undefined],
    ['', undefined],
    [null, undefined],
  ])('%j means %j seconds', (header, seconds) => {
    expect(parseRetryAfter(header)).toBe(seconds);
  });

  test('may be a date, and is no time ago', () => {
    const inAMinute = new Date(Date.now() + 60_000).toUTCString();
    expect(parseRetryAfter(inAMinute)).toBeGreaterThan(57);
    expect(parseRetryAfter(inAMinute)).toBeLessThanOrEqual(60);
    expect(parseRetryAfter('Wed, 21 Oct 2015 07:28:00 GMT')).toBe(0);
  });
});
