// The answer with several parts of a blob, as `multipart/byteranges`. RFC 9110, sections 14.6 and 15.3.7.2.
import { createContent, lengthOf, mediaTypes } from '../../../model/index.ts';
import type { BlobContent, ByteReader, ResolvedRange } from '../../../model/index.ts';
import { formatContentRange } from '../../wire/index.ts';
import type { Reply } from '../shared/index.ts';

const encoder = new TextEncoder();

/**
 * Builds the answer with several parts, in their order, none of them merged: clients count the parts.
 *
 * @param content the parts one after the other
 * @param parts those of its parts that have bytes
 * @param headers the headers of every answer with this blob
 */
export function multipartReply(
  content: BlobContent,
  parts: readonly ResolvedRange[],
  headers: Reply['headers'],
): Reply & { body: BlobContent } {
  const boundary = newBoundary();
  const { descriptor } = content;
  const heads = parts.map((part, index) => headOf(part, index, { boundary, size: descriptor.size }));
  const end = `\r\n--${boundary}--\r\n`;
  const length = heads.reduce((sum, head) => sum + head.length, 0) + lengthOf({ ...content, parts }) + end.length;
  const body = createContent({
    descriptor: { ...descriptor, size: length },
    source: {
      async open() {
        await content.open();
        return new MultipartReader(content, parts, [...heads, end]);
      },
      cancel: () => content.cancel(),
    },
  });
  return {
    status: 206,
    headers: {
      ...headers,
      'Content-Type': `multipart/byteranges; boundary=${boundary}`,
      'Content-Length': `${length}`,
    },
    body,
  };
}

/** Clients look for the boundary in the bytes, so the client that pushed them must not be able to foresee it. */
function newBoundary(): string {
  const random = crypto.getRandomValues(new Uint8Array(24));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function headOf(part: ResolvedRange, index: number, { boundary, size }: { boundary: string; size: number }): string {
  const type = `Content-Type: ${mediaTypes.octetStream}`;
  const range = `Content-Range: ${formatContentRange(part, size)}`;
  return `${index === 0 ? '' : '\r\n'}--${boundary}\r\n${type}\r\n${range}\r\n\r\n`;
}

/** Reads the heads and the parts by turns. */
class MultipartReader implements ByteReader {
  readonly #content: BlobContent;
  readonly #lengths: Iterator<number>;
  readonly #heads: Iterator<string>;
  /** Bytes of the present head that have not been read. */
  #head: Uint8Array = new Uint8Array(0);
  /** Bytes of the part after it that have not been read. */
  #left = 0;

  /** @param heads those of the parts, and the end */
  constructor(content: BlobContent, parts: readonly ResolvedRange[], heads: readonly string[]) {
    this.#content = content;
    this.#lengths = parts.map(({ start, end }) => end - start)[Symbol.iterator]();
    this.#heads = heads[Symbol.iterator]();
  }

  /** Fills the buffer with as many parts as are at hand: small parts go out together. */
  async readInto(buffer: Uint8Array): Promise<number> {
    let at = 0;
    while (at < buffer.length) {
      if (this.#head.length > 0) {
        const head = this.#head.subarray(0, buffer.length - at);
        buffer.set(head, at);
        this.#head = this.#head.subarray(head.length);
        at += head.length;
      } else if (this.#left > 0) {
        const wanted = Math.min(this.#left, buffer.length - at);
        const count = await this.#content.readInto(buffer.subarray(at, at + wanted));
        this.#left -= count;
        at += count;
        // Content that comes over a network is passed on as it comes.
        if (count < wanted) break;
      } else {
        const head = this.#heads.next();
        if (head.done === true) break;
        this.#head = encoder.encode(head.value);
        const length = this.#lengths.next();
        this.#left = length.done === true ? 0 : length.value;
      }
    }
    return at;
  }

  close(): Promise<void> {
    return this.#content.cancel();
  }
}
