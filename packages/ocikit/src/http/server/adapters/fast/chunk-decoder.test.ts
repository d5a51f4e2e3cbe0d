import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';

import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { ChunkDecoder, mostOverhead } from './chunk-decoder.ts';

interface Decoded {
  body: string;
  /** Bytes behind the body; undefined if the body has not ended. */
  rest: string | undefined;
}

/** Decodes a text that arrives in pieces of these sizes, the last one repeated. Returns undefined if it is refused. */
function decode(text: string, ...sizes: number[]): Decoded | undefined {
  const decoder = new ChunkDecoder();
  let body = '';
  try {
    for (let at = 0, i = 0; at < text.length; i++) {
      const size = sizes[Math.min(i, sizes.length - 1)] ?? text.length;
      body += decoder.decode(Buffer.from(text.slice(at, at + size), 'latin1')).toString('latin1');
      at += size;
      const { rest } = decoder;
      if (rest !== undefined) return { body, rest: rest.toString('latin1') + text.slice(at) };
    }
    return { body, rest: undefined };
  } catch (error) {
    expect(error).toMatchObject({ code: 'BAD_REQUEST' });
    return undefined;
  }
}

function chunksOf(content: string, size: number, extension = ''): string {
  let text = '';
  for (let at = 0; at < content.length; at += size) {
    const chunk = content.slice(at, at + size);
    text += `${chunk.length.toString(16)}${extension}\r\n${chunk}\r\n`;
  }
  return `${text}0\r\n\r\n`;
}

describe('a chunked body', () => {
  test.each([1, 2, 15, 16, 17, 255, 4095, 32 * 1024, 32 * 1024 + 1, 100_000])(
    'of chunks of %i bytes has their content, however it arrives',
    (size) => {
      const content = Array.from({ length: 100_000 }, (_, i) => String.fromCharCode((i * 7 + (i >> 8)) % 256)).join('');
      const text = `${chunksOf(content, size)}GET`;
      for (const sizes of [[], [65_536], [1, 4096], [32 * 1024 + 8], [977]]) {
        const decoded = decode(text, ...sizes);
        expect(decoded?.rest).toBe('GET');
        expect(decoded?.body === content).toBe(true);
      }
    },
  );

  test('is decoded in place, without a copy', () => {
    const bytes = Buffer.from('3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n');
    const content = new ChunkDecoder().decode(bytes);
    expect(content.toString()).toBe('abcde');
    expect(content.buffer).toBe(bytes.buffer);
    expect(content.byteOffset).toBe(bytes.byteOffset);
  });

  test('may be cut in every position', () => {
    const text = 'A;n;m=v;q="a \\" b"\r\n0123456789\r\n001\r\nx\r\n00;last\r\nTrailer-A: b\xe9\r\nC:\r\n\r\nGET / ';
    for (let cut = 1; cut < text.length; cut++) {
      expect(decode(text, cut, text.length)).toEqual({ body: '0123456789x', rest: 'GET / ' });
      expect(decode(text.slice(0, -6 - cut))?.rest).toBeUndefined();
    }
  });

  test('that has not ended has no rest', () => {
    expect(decode('3\r\nab')).toEqual({ body: 'ab', rest: undefined });
    expect(decode('3\r\nabc\r\n0\r\n')).toEqual({ body: 'abc', rest: undefined });
    expect(decode('3\r\nabc\r\n0\r\n\r\n')).toEqual({ body: 'abc', rest: '' });
  });

  test.each([
    ['very long extensions', `1;${'e'.repeat(mostOverhead)}\r\nx\r\n0\r\n\r\n`],
    ['a long extension in each of its small chunks', chunksOf('x'.repeat(100), 1, `;${'e'.repeat(200)}`)],
    ['long extensions without an end', `1;a="${'e'.repeat(mostOverhead)}`],
    ['very long trailers', `0\r\nA: ${'e'.repeat(mostOverhead)}\r\n\r\n`],
    ['many trailers', `0\r\n${'A: b\r\n'.repeat(mostOverhead / 5)}\r\n`],
  ])('with %s is refused', (_name, text) => {
    expect(decode(text)).toBeUndefined();
    expect(decode(text, 100)).toBeUndefined();
  });

  test('may have extensions in proportion to its content', () => {
    const content = 'x'.repeat(1_000_000);
    expect(decode(chunksOf(content, 1000, `;${'e'.repeat(1000)}`))?.body.length).toBe(content.length);
  });
});

const refused: [name: string, text: string][] = [
  ['letters that are no digits', 'xyz\r\nabc\r\n0\r\n\r\n'],
  ['a digit above F', '1g\r\nabc\r\n0\r\n\r\n'],
  ['an empty size', '\r\nabc\r\n0\r\n\r\n'],
  ['a size of an extension alone', ';a=b\r\nabc\r\n0\r\n\r\n'],
  ['a negative size', '-3\r\nabc\r\n0\r\n\r\n'],
  ['a positive size', '+3\r\nabc\r\n0\r\n\r\n'],
  ['a size with 0x', '0x3\r\nabc\r\n0\r\n\r\n'],
  ['a size with an underscore', '0_3\r\nabc\r\n0\r\n\r\n'],
  ['a space before a size', ' 3\r\nabc\r\n0\r\n\r\n'],
  ['a space behind a size', '3 \r\nabc\r\n0\r\n\r\n'],
  ['a tab behind a size', '3\t\r\nabc\r\n0\r\n\r\n'],
  ['a space in a size', '1 0\r\n0123456789abcdef\r\n0\r\n\r\n'],
  ['a size that overflows 64 bits', '10000000000000003\r\nabc\r\n0\r\n\r\n'],
  ['a size that overflows 64 bits by far', `${'f'.repeat(40)}\r\nabc\r\n0\r\n\r\n`],
  ['a line feed alone behind a size', '3\nabc\r\n0\r\n\r\n'],
  ['a carriage return alone behind a size', '3\rabc\r\n0\r\n\r\n'],
  ['no line end behind its content', '3\r\nabc0\r\n\r\n'],
  ['a line feed alone behind its content', '3\r\nabc\n0\r\n\r\n'],
  ['a carriage return alone behind its content', '3\r\nabc\r0\r\n\r\n'],
  ['content that is too long', '3\r\nabcd\r\n0\r\n\r\n'],
  ['content that is too short', '4\r\nabc\r\n0\r\n\r\n'],
  ['a zero byte in a size', '3\0\r\nabc\r\n0\r\n\r\n'],
  ['a line feed in an extension', '3;a\nb\r\nabc\r\n0\r\n\r\n'],
  ['a carriage return in an extension', '3;a\rb\r\nabc\r\n0\r\n\r\n'],
  ['a line feed in a quoted extension', '3;a="\n"\r\nabc\r\n0\r\n\r\n'],
  ['a zero byte in an extension', '3;a=\0\r\nabc\r\n0\r\n\r\n'],
  ['characters behind a quoted extension', '3;a="b"c\r\nabc\r\n0\r\n\r\n'],
  ['a trailer without a colon', '0\r\nabc\r\n\r\n'],
  ['a trailer without a name', '0\r\n: a\r\n\r\n'],
  ['a trailer with a space before its colon', '0\r\na : b\r\n\r\n'],
  ['a trailer with a zero byte', '0\r\na: \0\r\n\r\n'],
  ['a trailer that ends in a line feed alone', '0\r\na: b\n\r\n'],
  ['a length as a trailer', '0\r\nContent-Length: 3\r\n\r\nabc'],
];
const refusedHereAlone: [name: string, text: string][] = [
  ['an extension without a name', '3;\r\nabc\r\n0\r\n\r\n'],
  ['a space before an extension', '3 ;a\r\nabc\r\n0\r\n\r\n'],
  ['a space in an extension', '3; a=b\r\nabc\r\n0\r\n\r\n'],
  ['an extension without a value', '3;a=\r\nabc\r\n0\r\n\r\n'],
  ['a size of more digits than a number of 64 bits has', '00000000000000003\r\nabc\r\n0\r\n\r\n'],
  ['a size that is no exact number', '20000000000000\r\nabc\r\n0\r\n\r\n'],
  ['a trailer in two lines', '0\r\na: b\r\n c\r\n\r\n'],
  ['an encoding as a trailer', '0\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['a host as a trailer', '0\r\nhost: x\r\n\r\n'],
  ['an end of the connection as a trailer', '0\r\nCONNECTION: close\r\n\r\n'],
];

describe("Node's parser and this one", () => {
  const seen: { url: string | undefined; body: string }[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('latin1');
    request.on('data', (piece: string) => (body += piece));
    request.on('end', () => {
      seen.push({ url: request.url, body });
      response.end();
    });
    request.on('error', () => undefined);
  });
  beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
  afterAll(() => void server.close());

  /** Sends a chunked body and another request to Node's server. Returns the requests that Node read. */
  async function sawNode(text: string): Promise<typeof seen> {
    seen.length = 0;
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.resume();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.end(`PUT /first HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${text}${after}`, 'latin1');
    await closed;
    return [...seen];
  }

  const after = 'GET /after HTTP/1.1\r\nHost: x\r\n\r\n';

  test.each(refused)('refuse %s', async (_name, text) => {
    for (const sizes of [[], [1], [2], [7]]) expect(decode(text + after, ...sizes)?.rest).not.toBe(after);
    for (const sizes of [[], [1]]) expect(decode(text + after, ...sizes)).toBeUndefined();
    expect((await sawNode(text)).map(({ url }) => url)).not.toContain('/after');
  });

  test.each(refusedHereAlone)('do not differ about %s, as this one refuses it', (_name, text) => {
    for (const sizes of [[], [1]]) expect(decode(text + after, ...sizes)).toBeUndefined();
  });

  const token = fc.constantFrom('a', 'n-1', 'X_y', "!#$%&'*+.^`|~");
  const value = fc.constantFrom('', '=v', '=0', '="q"', '=""', '=" \\"x\\\\ ;"', '=9z');
  const extensions = fc
    .array(fc.tuple(token, value), { maxLength: 2 })
    .map((all) => all.map(([name, one]) => `;${name}${one}`).join(''));
  const chunk = fc
    .tuple(
      fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 40 }),
      fc.constantFrom('', '0', '000'),
      fc.boolean(),
      extensions,
    )
    .map(([content, zeros, isUpper, extension]) => {
      const size = content.length.toString(16);
      return { content, text: `${zeros}${isUpper ? size.toUpperCase() : size}${extension}\r\n${content}\r\n` };
    });
  const trailers = fc
    .array(fc.tuple(token, fc.constantFrom('', ' b', '\tc d ', ' \xe9')), { maxLength: 2 })
    .map((all) => all.map(([name, one]) => `${name}:${one}\r\n`).join(''));
  const good = fc
    .tuple(fc.array(chunk, { maxLength: 5 }), fc.constantFrom('0', '000'), extensions, trailers)
    .map(([chunks, last, extension, fields]) => ({
      content: chunks.map(({ content }) => content).join(''),
      text: `${chunks.map(({ text }) => text).join('')}${last}${extension}\r\n${fields}\r\n`,
    }));

  test('read the same content and the same end', async () => {
    await fc.assert(
      fc.asyncProperty(good, fc.array(fc.integer({ min: 1, max: 20 })), async ({ content, text }, sizes) => {
        expect(decode(text + after, ...sizes)).toEqual({ body: content, rest: after });
        expect(await sawNode(text)).toEqual([
          { url: '/first', body: content },
          { url: '/after', body: '' },
        ]);
      }),
      { numRuns: 300 },
    );
  });

  const fragments = [
    '0', '1', '3', 'a', 'F', '00', 'x', '-', '\r\n', '\r\n', '\r\n', '\r', '\n', '0\r\n\r\n', '3\r\nabc\r\n', '1\r\nx\r\n', ' ', '\t', ';', '=', '"', '\\',
    ';a=b', ';a', 'A: b', ':', 'Content-Length: 1', 'Transfer-Encoding: chunked', 'Connection: close', '\0', '\x7f', '\xff', 'abc', 'GET / HTTP/1.1',
  ]; // prettier-ignore
  const wild = fc.array(fc.constantFrom(...fragments), { maxLength: 10 }).map((parts) => parts.join(''));
  /** A valid body with one byte changed, left out or added. */
  const nearlyGood = fc
    .tuple(good, fc.nat(), fc.constantFrom('', ...fragments), fc.constantFrom(0, 1))
    .map(([{ text }, at, inserted, removed]) => {
      const from = at % text.length;
      return text.slice(0, from) + inserted + text.slice(from + removed);
    });

  test('never differ about the content or the end of a body that this one accepts', async () => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(nearlyGood, nearlyGood, wild),
        fc.array(fc.integer({ min: 1, max: 20 })),
        async (text, sizes) => {
          const whole = decode(text + after);
          expect(decode(text + after, ...sizes)).toEqual(whole);
          if (whole?.rest === undefined) return;
          accepted++;
          // More bytes than the other request would show only whether Node reads that one in the same way.
          if (whole.rest !== after) return;
          expect(await sawNode(text)).toEqual([
            { url: '/first', body: whole.body },
            { url: '/after', body: '' },
          ]);
        },
      ),
      { numRuns: 3000 },
    );
    expect(accepted).toBeGreaterThan(30);
  });
});
