import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { digestOf } from './digest.ts';
import type { Digest } from './digest.ts';
import { VerifyingReader } from './verifying-reader.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const abc = digestOf(encode('abc'));

/** Pieces that tell how many were taken and whether the reading was ended. */
function observed(...texts: string[]): AsyncIterable<Uint8Array> & { taken: number; closed: boolean } {
  const source = {
    taken: 0,
    closed: false,
    async *[Symbol.asyncIterator]() {
      try {
        for (const text of texts) {
          source.taken++;
          yield encode(text);
        }
      } finally {
        source.closed = true;
      }
    },
  };
  return source;
}

/** The items before the end or the error. */
async function drain(reader: AsyncIterable<Uint8Array>): Promise<{ text: string; error: unknown }> {
  let text = '';
  try {
    for await (const piece of reader) text += new TextDecoder().decode(piece);
    return { text, error: undefined };
  } catch (error) {
    return { text, error };
  }
}

describe('a verifying reader', () => {
  test('hands the right content on as it arrives', async () => {
    const reader = new VerifyingReader(observed('a', '', 'bc'), { digest: abc, size: 3 });
    const pieces: string[] = [];
    for await (const piece of reader) pieces.push(new TextDecoder().decode(piece));
    expect(pieces).toEqual(['a', '', 'bc']);
    expect(reader.verified).toBe(true);
    expect(reader.size).toBe(3);
  });

  test('knows sha512', async () => {
    const reader = new VerifyingReader(observed('abc'), { digest: digestOf(encode('abc'), 'sha512'), size: 3 });
    expect(await drain(reader)).toEqual({ text: 'abc', error: undefined });
  });

  test('accepts no bytes where none were announced', async () => {
    const reader = new VerifyingReader(observed(), { digest: digestOf(encode('')), size: 0 });
    expect(await drain(reader)).toEqual({ text: '', error: undefined });
    expect(reader.verified).toBe(true);
  });

  test('has verified nothing before the end was reached, even if all bytes have come', async () => {
    const reader = new VerifyingReader(observed('abc'), { digest: abc, size: 3 });
    const iterator = reader[Symbol.asyncIterator]();
    expect(reader.verified).toBe(false);
    await iterator.next();
    expect(reader.size).toBe(3);
    expect(reader.verified).toBe(false);
    expect(await iterator.next()).toMatchObject({ done: true });
    expect(reader.verified).toBe(true);
  });

  test('fails as soon as there is too much, and hands none of the excess on', async () => {
    const source = observed('ab', 'cd', 'ef');
    const reader = new VerifyingReader(source, { digest: abc, size: 3 });
    expect(await drain(reader)).toMatchObject({
      text: 'ab',
      error: { code: 'SIZE_INVALID', detail: { expected: 3, found: 4 } },
    });
    expect(source).toMatchObject({ taken: 2, closed: true });
    expect(reader.verified).toBe(false);
  });

  test('fails at the end if there is too little', async () => {
    const reader = new VerifyingReader(observed('a', 'b'), { digest: abc, size: 3 });
    expect(await drain(reader)).toMatchObject({
      text: 'ab',
      error: {
        code: 'SIZE_INVALID',
        detail: { expected: 3, found: 2 },
        message: `the content of ${abc} ended after 2 bytes, but 3 were announced`,
      },
    });
    expect(reader.verified).toBe(false);
  });

  test('fails at the end if the bytes are others', async () => {
    const reader = new VerifyingReader(observed('abd'), { digest: abc, size: 3 });
    expect(await drain(reader)).toMatchObject({
      text: 'abd',
      error: { code: 'DIGEST_INVALID', detail: { expected: abc, found: digestOf(encode('abd')) } },
    });
    expect(reader.verified).toBe(false);
  });

  test('compares the digest alone if no size was announced', async () => {
    expect(await drain(new VerifyingReader(observed('abc'), { digest: abc }))).toMatchObject({ error: undefined });
    expect(await drain(new VerifyingReader(observed('abcd'), { digest: abc }))).toMatchObject({
      error: { code: 'DIGEST_INVALID' },
    });
  });

  test('passes on the error of its source', async () => {
    const broken = new Error('the line is cut');
    const source: AsyncIterable<Uint8Array> = {
      async *[Symbol.asyncIterator]() {
        yield encode('abc');
        throw broken;
      },
    };
    const reader = new VerifyingReader(source, { digest: abc, size: 3 });
    expect(await drain(reader)).toEqual({ text: 'abc', error: broken });
    expect(reader.verified).toBe(false);
  });

  test('ends its source when the reading is given up', async () => {
    const source = observed('a', 'bc');
    const reader = new VerifyingReader(source, { digest: abc, size: 3 });
    for await (const _piece of reader) break;
    expect(source).toMatchObject({ taken: 1, closed: true });
    expect(reader.verified).toBe(false);
  });

  test.each(['', 'sha256:abc', `sha256:${'A'.repeat(64)}`, 'md5:d41d8cd98f00b204e9800998ecf8427e'])(
    'is not made for the malformed digest %j',
    (digest) => {
      expect(() => new VerifyingReader(observed('abc'), { digest: digest as Digest })).toThrow(
        expect.objectContaining({ code: 'DIGEST_INVALID' }),
      );
    },
  );

  test('fails for any change of one byte', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 200 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (bytes, position, change) => {
          const changed = Uint8Array.from(bytes);
          const at = position % bytes.length;
          changed[at] = (changed[at] ?? 0) ^ change;
          const source = new ReadableStream<Uint8Array>({
            start(controller) {
              controller.enqueue(changed);
              controller.close();
            },
          });
          const { error } = await drain(new VerifyingReader(source, { digest: digestOf(bytes), size: bytes.length }));
          expect(error).toMatchObject({ code: 'DIGEST_INVALID' });
        },
      ),
    );
  });
});
