import { describe, expect, test } from 'vitest';

import { AnswerReader, header } from './answers.ts';

const created = 'HTTP/1.1 201 Created\r\nLocation: /v2/a/blobs/b\r\nContent-Length: 0\r\n\r\n';
const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7;note=1\r\n, world\r\n0\r\n\r\n';
const page = 'HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nhello world';

/** Reads a text in pieces of `size` bytes, all through one buffer, and gives the body of the answer. */
function bodyInPieces(text: string, size: number): string | undefined {
  const reader = new AnswerReader();
  const buffer = Buffer.alloc(size);
  for (let at = 0; at < text.length; at += size) {
    const length = buffer.write(text.slice(at, at + size), 'latin1');
    const answer = reader.read(buffer.subarray(0, length), false);
    if (answer !== undefined) return answer.body.toString();
  }
  return undefined;
}

describe('an answer', () => {
  test('has its status, its head and its body', () => {
    const answer = new AnswerReader().read(Buffer.from(page), false);
    expect(answer?.status).toBe(200);
    expect(answer?.head).toBe('HTTP/1.1 200 OK\r\ncontent-length: 11');
    expect(answer?.body.toString()).toBe('hello world');
  });

  test.each([1, 2, 3, 7, 64])('is assembled from pieces of %i bytes, with a length or in chunks', (size) => {
    expect(bodyInPieces(page, size)).toBe('hello world');
    expect(bodyInPieces(chunked, size)).toBe('hello, world');
  });

  test('is incomplete before its last byte', () => {
    expect(bodyInPieces(page.slice(0, -1), 16)).toBeUndefined();
    expect(bodyInPieces(chunked.slice(0, -1), 16)).toBeUndefined();
  });

  test('to a HEAD ends with its head, even with a Content-Length', () => {
    const head = 'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n';
    expect(new AnswerReader().read(Buffer.from(head), true)?.status).toBe(200);
    expect(new AnswerReader().read(Buffer.from(head), false)).toBeUndefined();
  });

  test('is followed by the next one on the same connection', () => {
    const reader = new AnswerReader();
    expect(reader.read(Buffer.from(created), false)?.status).toBe(201);
    expect(reader.read(Buffer.from(page), false)?.status).toBe(200);
  });

  test('that is not HTTP is an error', () => {
    expect(() => new AnswerReader().read(Buffer.from('SSH-2.0\r\n\r\n'), false)).toThrow('not an answer');
    expect(() => new AnswerReader().read(Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), false)).toThrow('without a length');
  });

  test('with bytes behind its end is an error', () => {
    expect(() => new AnswerReader().read(Buffer.from(created + created), false)).toThrow('bytes follow');
  });
});

test('a header is found in any case, and only by its whole name', () => {
  const head = 'HTTP/1.1 202 Accepted\r\nX-Location: no\r\nLOCATION:  /v2/a/blobs/uploads/1?x=Y \r\nContent-Length: 0';
  expect(header(head, 'location')).toBe('/v2/a/blobs/uploads/1?x=Y');
  expect(header(head, 'content-length')).toBe('0');
  expect(header(head, 'ocation')).toBeUndefined();
});
