// Reads the body of a response that is `multipart/byteranges`. RFC 9110, section 14.6; RFC 2046, section 5.1.
import { parseContentRange } from '../../wire/index.ts';
import type { ContentRange } from '../../wire/index.ts';

/** A body is not what its type says. The bytes that were read from it may be wrong. */
export class MalformedMultipart extends Error {
  override readonly name = 'MalformedMultipart';
}

/** Bytes of the lines between two parts, at most. */
const largestHead = 8 * 1024;

/** Bytes after the last part, at most. */
const largestEnd = 1024;

const parameters = /^\s*multipart\/byteranges\s*;(.*)$/is;
const boundaryParameter = /(?:^|;)\s*boundary\s*=\s*(?:"([^"\\]{1,70})"|([^\s;",]{1,70}))\s*(?=;|$)/i;
const boundaryCharacters = /^[0-9A-Za-z'()+_,\-./:=? ]*[0-9A-Za-z'()+_,\-./:=?]$/;

/** The boundary in a `Content-Type`; undefined for another type than `multipart/byteranges`, or if it is malformed. */
export function boundaryIn(contentType: string): string | undefined {
  const [, quoted, token] = boundaryParameter.exec(parameters.exec(contentType)?.[1] ?? '') ?? [];
  const boundary = quoted ?? token;
  return boundary !== undefined && boundaryCharacters.test(boundary) ? boundary : undefined;
}

/** A part's `Content-Range`. */
export type PartHead = Extract<ContentRange, { range: object }>;

/** Reads the parts of a body in their order: the head of each one, and then all of its bytes. */
export class MultipartReader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  readonly #boundary: string;
  /** Bytes that came and were not read. */
  #rest: Uint8Array = new Uint8Array(0);
  /** Bytes of the part that were not read; undefined before the first part. */
  #left: number | undefined;
  /** Bytes that the lines before the next part may still have. */
  #room = 0;

  constructor(body: AsyncIterable<Uint8Array>, boundary: string) {
    this.#pieces = body[Symbol.asyncIterator]();
    this.#boundary = boundary;
  }

  /**
   * Reads up to the bytes of the next part.
   *
   * @returns undefined at the end
   * @throws MalformedMultipart
   */
  async next(): Promise<PartHead | undefined> {
    if ((this.#left ?? 0) > 0) throw new TypeError('the bytes of the part have not been read');
    this.#room = largestHead;
    const delimiter = `--${this.#boundary}`;
    let line = await this.#line();
    // Before the first part, the line break may be missing.
    if (line === '') line = await this.#line();
    else if (this.#left !== undefined) throw new MalformedMultipart('a part is longer than its Content-Range says');
    line = line.trimEnd();
    if (line === `${delimiter}--`) {
      await this.#readEnd();
      return undefined;
    }
    if (line !== delimiter) throw new MalformedMultipart('a part is not where its boundary has to be');
    const head = await this.#head();
    this.#left = head.range.end - head.range.start;
    return head;
  }

  async #head(): Promise<PartHead> {
    let head: ContentRange | undefined;
    for (let line = await this.#line(); line !== ''; line = await this.#line()) {
      const colon = line.indexOf(':');
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      if (colon < 1 || /[^!-~]/.test(name)) throw new MalformedMultipart('the head of a part has a malformed line');
      if (name === 'content-encoding' && value.toLowerCase() !== 'identity') {
        throw new MalformedMultipart(`a part has the Content-Encoding ${value}`);
      }
      if (name !== 'content-range') continue;
      if (head !== undefined) throw new MalformedMultipart('a part has two Content-Range fields');
      head = parseContentRange(value);
      if (head === undefined) throw new MalformedMultipart('a part has a malformed Content-Range');
    }
    if (head?.range === undefined) throw new MalformedMultipart('a part has no Content-Range');
    return head;
  }

  /** The bytes of the part whose head was read last. */
  async *bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    let left = this.#left ?? 0;
    while (left > 0) {
      if (!(await this.#more())) throw new MalformedMultipart('the body ended in the middle of a part');
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.length);
      left -= piece.length;
      this.#left = left;
      yield piece;
    }
  }

  /** Releases the body. */
  async close(): Promise<void> {
    await this.#pieces.return?.();
  }

  /** Reads the body to its end: its connection can then be used again. */
  async #readEnd(): Promise<void> {
    for (let left = largestEnd - this.#rest.length; left >= 0; left -= this.#rest.length) {
      this.#rest = new Uint8Array(0);
      if (!(await this.#more())) return;
    }
    await this.close();
  }

  /** A line without its end, which may be the end of the body. One character stands for each byte. */
  async #line(): Promise<string> {
    let text = '';
    while (await this.#more()) {
      const end = this.#rest.indexOf(0x0a);
      const bytes = this.#rest.subarray(0, end < 0 ? undefined : end + 1);
      this.#room -= bytes.length;
      if (this.#room < 0) throw new MalformedMultipart(`there are more than ${largestHead} bytes between two parts`);
      text += String.fromCharCode(...bytes);
      this.#rest = this.#rest.subarray(bytes.length);
      if (end < 0) continue;
      if (!text.endsWith('\r\n')) throw new MalformedMultipart('a line does not end with CR LF');
      return text.slice(0, -2);
    }
    if (text === `--${this.#boundary}--`) return text;
    throw new MalformedMultipart('the body ended before its last boundary');
  }

  /** False at the end of the body. */
  async #more(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const next = await this.#pieces.next();
      if (next.done === true) return false;
      this.#rest = next.value;
    }
    return true;
  }
}
