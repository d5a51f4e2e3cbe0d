import { describe, expect, test, vi } from 'vitest';

import {
  HttpError,
  isErrorCode,
  isHttpUrl,
  isRegistryError,
  isTemporary,
  RedirectError,
  RegistryError,
  statusOfCode,
  toWireError,
} from './errors.ts';
import type * as errorsModule from './errors.ts';
import type { ErrorCode, ErrorInfo, HttpErrorOptions } from './errors.ts';

const codes = Object.keys(statusOfCode) as ErrorCode[];

function httpError(options: Partial<HttpErrorOptions>): HttpError {
  return new HttpError({ status: 404, method: 'GET', url: 'https://up.example/v2/', ...options });
}

/** The error that a client makes of what a server answers with. */
function acrossTheWire(error: unknown): HttpError {
  const { status, errors, retryAfter } = toWireError(error);
  const received = JSON.parse(JSON.stringify(errors)) as ErrorInfo[];
  return httpError({ status, errors: received, retryAfter });
}

describe('the table of codes', () => {
  test.each([
    ['BLOB_UNKNOWN', 404],
    ['BLOB_UPLOAD_INVALID', 400],
    ['BLOB_UPLOAD_UNKNOWN', 404],
    ['DIGEST_INVALID', 400],
    ['MANIFEST_BLOB_UNKNOWN', 404],
    ['MANIFEST_INVALID', 400],
    ['MANIFEST_UNKNOWN', 404],
    ['NAME_INVALID', 400],
    ['NAME_UNKNOWN', 404],
    ['SIZE_INVALID', 400],
    ['UNAUTHORIZED', 401],
    ['DENIED', 403],
    ['UNSUPPORTED', 405],
    ['TOOMANYREQUESTS', 429],
  ] as const)('has the specification’s %s with status %i', (code, status) => {
    expect(statusOfCode[code]).toBe(status);
  });

  test.each(codes)('spells %s as the specification wants it and gives it the status of an error', (code) => {
    expect(code).toMatch(/^[A-Z_]+$/);
    expect(statusOfCode[code]).toBeGreaterThanOrEqual(400);
    expect(statusOfCode[code]).toBeLessThan(600);
  });

  test.each([...new Set(Object.values(statusOfCode))])(
    'a bare answer with status %i gets a code of that status',
    (status) => {
      expect(statusOfCode[httpError({ status }).code]).toBe(status);
    },
  );

  test.each(codes)('has %s, and isErrorCode knows it', (code) => {
    expect(isErrorCode(code)).toBe(true);
  });

  test.each(['', 'blob_unknown', 'TAG_INVALID', 'toString', '__proto__', 404, null, undefined, ['DENIED']])(
    'isErrorCode does not know %j',
    (code) => {
      expect(isErrorCode(code)).toBe(false);
    },
  );
});

describe('a registry error', () => {
  test('has a code, a message, a detail, a cause and the status of its code', () => {
    const cause = new Error('why');
    const error = new RegistryError('TOOMANYREQUESTS', 'later', { detail: { a: 1 }, cause, retryAfter: 2.5 });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: 'RegistryError',
      code: 'TOOMANYREQUESTS',
      message: 'later',
      detail: { a: 1 },
      retryAfter: 2.5,
      status: 429,
    });
    expect(error.cause).toBe(cause);
  });

  test('has no cause, no detail and no time to wait if none was given', () => {
    const error = new RegistryError('DENIED', 'no');
    expect(error).toMatchObject({ detail: undefined, retryAfter: undefined });
    expect('cause' in error).toBe(false);
  });

  test('is recognised by isRegistryError, by any of the codes', () => {
    const error = new RegistryError('BLOB_UNKNOWN', '');
    expect(isRegistryError(error)).toBe(true);
    expect(isRegistryError(error, 'BLOB_UNKNOWN')).toBe(true);
    expect(isRegistryError(error, 'DENIED', 'BLOB_UNKNOWN')).toBe(true);
    expect(isRegistryError(error, 'DENIED', 'MANIFEST_UNKNOWN')).toBe(false);
  });

  test.each([
    ['an error', new Error('x')],
    ['an object that looks like one', { name: 'RegistryError', code: 'DENIED', message: 'x' }],
    ['a text', 'RegistryError'],
    ['null', null],
    ['undefined', undefined],
    ['the class itself', RegistryError],
  ])('isRegistryError does not recognise %s', (_what, value) => {
    expect(isRegistryError(value)).toBe(false);
    expect(value instanceof RegistryError).toBe(false);
  });

  test('is told apart from an error of a class that extends it', () => {
    class QuotaError extends RegistryError {}
    const plain = new RegistryError('DENIED', '');
    const own = new QuotaError('DENIED', '');
    expect([own instanceof QuotaError, own instanceof RegistryError]).toEqual([true, true]);
    expect([plain instanceof QuotaError, plain instanceof HttpError, plain instanceof RedirectError]).toEqual([
      false,
      false,
      false,
    ]);
  });
});

describe('across two copies of the package in one program', () => {
  async function secondCopy(): Promise<typeof errorsModule> {
    vi.resetModules();
    const copy = await import('./errors.ts');
    expect(copy.RegistryError).not.toBe(RegistryError);
    return copy;
  }

  test('instanceof and isRegistryError hold for a RegistryError', async () => {
    const copy = await secondCopy();
    const theirs = new copy.RegistryError('BLOB_UNKNOWN', 'x');
    expect(theirs instanceof RegistryError).toBe(true);
    expect(isRegistryError(theirs, 'BLOB_UNKNOWN')).toBe(true);
    expect(new RegistryError('DENIED', 'x') instanceof copy.RegistryError).toBe(true);
    expect(copy.isRegistryError(new RegistryError('DENIED', 'x'), 'DENIED')).toBe(true);
    expect(theirs instanceof HttpError || theirs instanceof RedirectError).toBe(false);
  });

  test('instanceof holds for an HttpError, and its entries go over the wire as they came', async () => {
    const copy = await secondCopy();
    const errors = [{ code: 'BLOB_UNKNOWN', message: 'no such blob' }];
    const theirs = new copy.HttpError({ status: 404, method: 'GET', url: 'https://up.example/', errors });
    expect([theirs instanceof HttpError, theirs instanceof RegistryError]).toEqual([true, true]);
    expect(theirs instanceof RedirectError).toBe(false);
    expect(toWireError(theirs)).toEqual({ status: 404, errors, retryAfter: undefined });
  });

  test('instanceof holds for a RedirectError', async () => {
    const copy = await secondCopy();
    const theirs = new copy.RedirectError('https://cdn.example/x');
    expect([theirs instanceof RedirectError, theirs instanceof RegistryError]).toEqual([true, true]);
    expect(theirs instanceof HttpError).toBe(false);
  });
});

describe('an HTTP error', () => {
  test('says what was asked, and what came back', () => {
    const error = httpError({
      method: 'PUT',
      errors: [
        { code: 'NAME_UNKNOWN', message: 'no such repository' },
        { code: 'DENIED', message: '' },
        { code: '', message: 'and more' },
      ],
    });
    expect(error.message).toBe(
      'PUT https://up.example/v2/ was answered 404 (NAME_UNKNOWN: no such repository; DENIED; and more)',
    );
    expect(httpError({ status: 502 }).message).toBe('GET https://up.example/v2/ was answered 502');
  });

  test('keeps everything that came', () => {
    const error = httpError({
      status: 429,
      errors: [{ code: 'TOOMANYREQUESTS', detail: { limit: 10 } }],
      body: '{"errors":[…]}',
      retryAfter: 30,
    });
    expect(error).toMatchObject({
      name: 'HttpError',
      status: 429,
      method: 'GET',
      url: 'https://up.example/v2/',
      errors: [{ code: 'TOOMANYREQUESTS', detail: { limit: 10 } }],
      detail: { limit: 10 },
      body: '{"errors":[…]}',
      retryAfter: 30,
    });
  });

  test('has the code of the first entry that names a known one', () => {
    const errors = [{ code: 'TAG_INVALID' }, { code: 'MANIFEST_INVALID' }, { code: 'DENIED' }];
    expect(httpError({ status: 400, errors }).code).toBe('MANIFEST_INVALID');
  });

  test('has the code of its status if no entry names a known one', () => {
    expect(httpError({ status: 403, errors: [{ code: 'TAG_INVALID' }] }).code).toBe('DENIED');
    expect(httpError({ status: 416 }).code).toBe('RANGE_INVALID');
    expect(httpError({ status: 418 }).code).toBe('UNKNOWN');
    expect(httpError({ status: 502 }).code).toBe('UNKNOWN');
  });

  test('keeps the status that came, whatever the code says', () => {
    const error = httpError({ status: 403, errors: [{ code: 'NAME_UNKNOWN' }] });
    expect(error).toMatchObject({ status: 403, code: 'NAME_UNKNOWN' });
  });
});

describe('a redirect', () => {
  test('is temporary unless it says otherwise, and is a registry error', () => {
    const error = new RedirectError('https://cdn.example/blob');
    expect(error).toBeInstanceOf(RegistryError);
    expect(error).toMatchObject({
      name: 'RedirectError',
      code: 'UNSUPPORTED',
      location: 'https://cdn.example/blob',
      redirectStatus: 307,
    });
    expect(new RedirectError('https://cdn.example/', 302).redirectStatus).toBe(302);
  });

  test('leaves the query and the fragment, which may hold signatures, out of its message', () => {
    const location = 'https://cdn.example/blob?signature=secret#secret';
    const error = new RedirectError(location);
    expect(error.location).toBe(location);
    expect(error.message).toContain('https://cdn.example/blob');
    expect(error.message).not.toContain('secret');
    expect(JSON.stringify(toWireError(error))).not.toContain('secret');
  });

  test.each([
    '',
    '/blob',
    '//cdn.example/blob',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'https://',
    'https:///x',
    'https://x/\r\nA: b',
    'https://x/€',
  ])('is not made for %j, and the refusal does not repeat it', (location) => {
    expect(isHttpUrl(location)).toBe(false);
    expect(() => new RedirectError(location)).toThrow(
      new TypeError('the location of a redirect must be an absolute http or https URL'),
    );
  });

  test.each(['http://a', 'HTTPS://cdn.example:8443/x?y#z', 'http://[::1]:5000/'])('is made for %s', (location) => {
    expect(new RedirectError(location).location).toBe(location);
  });
});

describe('the wire form of an error', () => {
  test('says of a full disk that there is no room, and nothing else of it', () => {
    const full = Object.assign(new Error("ENOSPC: no space left on device, write '/secret'"), { code: 'ENOSPC' });
    expect(toWireError(full)).toMatchObject({ status: 503, errors: [{ code: 'UNAVAILABLE' }] });
    expect(JSON.stringify(toWireError(full))).not.toContain('secret');
  });

  test('has code, message and detail, and the status and the waiting time beside them', () => {
    const error = new RegistryError('TOOMANYREQUESTS', 'later', { detail: { limit: 10 }, retryAfter: 3 });
    expect(toWireError(error)).toStrictEqual({
      status: 429,
      errors: [{ code: 'TOOMANYREQUESTS', message: 'later', detail: { limit: 10 } }],
      retryAfter: 3,
    });
  });

  test('has no detail if there is none', () => {
    expect(toWireError(new RegistryError('DENIED', 'no')).errors).toStrictEqual([{ code: 'DENIED', message: 'no' }]);
  });

  test.each([
    ['an error', new Error('secret')],
    ['an error of the system', Object.assign(new Error('ENOENT: /etc/secret'), { code: 'ENOENT' })],
    ['an error with the code of a registry error', Object.assign(new Error('secret'), { code: 'DENIED' })],
    ['a text', 'secret'],
    ['an object', { code: 'DENIED', message: 'secret' }],
    ['nothing', undefined],
    ['null', null],
  ])('%s becomes UNKNOWN without its text', (_what, error) => {
    expect(toWireError(error)).toEqual({
      status: 500,
      errors: [{ code: 'UNKNOWN', message: 'internal error' }],
      retryAfter: undefined,
    });
  });

  test('is that of a registry error anywhere in the chain of causes, and tells nothing of the errors around it', () => {
    const inner = new RegistryError('BLOB_UNKNOWN', 'no such blob', { cause: new Error('secret') });
    const wrapped = new Error('secret', { cause: new Error('secret', { cause: inner }) });
    expect(toWireError(wrapped)).toEqual({
      status: 404,
      errors: [{ code: 'BLOB_UNKNOWN', message: 'no such blob' }],
      retryAfter: undefined,
    });
  });

  test('is that of the outermost registry error of a chain', () => {
    const inner = new RegistryError('BLOB_UNKNOWN', 'inner');
    expect(toWireError(new RegistryError('DENIED', 'outer', { cause: inner })).status).toBe(403);
  });

  test('is found for a chain of causes that is a circle', () => {
    const error = new Error('a');
    error.cause = new Error('b', { cause: error });
    expect(toWireError(error).status).toBe(500);
  });

  test('is what another registry answered, unchanged', () => {
    const errors = [
      { code: 'TAG_INVALID', message: 'bad tag', detail: ['x'] },
      { code: 'DENIED', message: 'go away' },
    ];
    expect(toWireError(httpError({ status: 400, errors })).errors).toEqual(errors);
  });

  test('has the status of a known code, whatever status came with it', () => {
    expect(toWireError(httpError({ status: 500, errors: [{ code: 'NAME_UNKNOWN' }] })).status).toBe(404);
  });

  test('has the status that came if the code is not a known one', () => {
    expect(toWireError(httpError({ status: 418, errors: [{ code: 'TEAPOT' }] })).status).toBe(418);
    expect(toWireError(httpError({ status: 502, errors: [{ code: 'UNKNOWN' }] })).status).toBe(502);
  });

  test('has the status of an answer without a body', () => {
    expect(toWireError(httpError({ status: 502 }))).toEqual({
      status: 502,
      errors: [{ code: 'UNKNOWN', message: 'GET https://up.example/v2/ was answered 502' }],
      retryAfter: undefined,
    });
  });

  test.each<[string, unknown]>([
    ['a registry error', new RegistryError('NAME_UNKNOWN', 'no such repository', { detail: { name: 'a' } })],
    ['a registry error to be tried again', new RegistryError('UNAVAILABLE', 'down', { retryAfter: 7 })],
    ['an error whose text is private', new Error('secret')],
    [
      'an error with a code that is not known',
      httpError({ status: 418, errors: [{ code: 'TEAPOT', message: 'short' }] }),
    ],
    ['an answer without a body', httpError({ status: 504 })],
  ])('%s is the same after three proxies as after one', (_what, error) => {
    const once = toWireError(error);
    const thrice = toWireError(acrossTheWire(acrossTheWire(acrossTheWire(error))));
    expect(thrice).toEqual(once);
  });
});

describe('a temporary error', () => {
  test.each<[string, unknown]>([
    ['a busy registry', new RegistryError('TOOMANYREQUESTS', 'wait')],
    ['a registry out of order', new RegistryError('UNAVAILABLE', 'wait')],
    ['a request that took too long', new RegistryError('REQUEST_TIMEOUT', 'faster')],
    ['a status of 502', new HttpError({ status: 502, method: 'GET', url: 'https://up.example/v2/' })],
    ['a status of 499', new HttpError({ status: 499, method: 'GET', url: 'https://up.example/v2/' })],
    ['an error of a program', new TypeError('x is not a function')],
  ])('is that of %s', (_what, error) => {
    expect(isTemporary(error)).toBe(true);
  });

  test.each<[string, unknown]>([
    ['unknown content', new RegistryError('BLOB_UNKNOWN', 'none')],
    ['a caller without permission', new RegistryError('DENIED', 'no')],
    ['a status of 501', new HttpError({ status: 501, method: 'GET', url: 'https://up.example/v2/' })],
    ['a status of 404', new HttpError({ status: 404, method: 'GET', url: 'https://up.example/v2/' })],
  ])('is not that of %s', (_what, error) => {
    expect(isTemporary(error)).toBe(false);
  });
});
