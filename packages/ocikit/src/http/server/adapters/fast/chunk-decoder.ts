// Decoding the chunks of a body whose length its client does not announce. RFC 9112, section 7.1.
import { RegistryError } from '../../../../model/index.ts';

/** Bytes of sizes, extensions and trailers that a body may have beyond what its content explains. */
export const mostOverhead: number = 16 * 1024;
/** Bytes of overhead that each chunk may have, besides twice its content. A chunk of one byte has five or six. */
const overheadPerChunk = 16;
/** Digits of a chunk's size, leading zeros included. */
const mostDigits = 16;

/** The part of a chunk that the next byte belongs to. */
const part = {
  content: 0,
  size: 1,
  extensionName: 2,
  extensionValue: 3,
  quoted: 4,
  escaped: 5,
  afterQuoted: 6,
  endOfSize: 7,
  endOfContent: 8,
  afterContent: 9,
  trailer: 10,
  trailerName: 11,
  trailerValue: 12,
  endOfTrailer: 13,
  end: 14,
  nothing: 15,
} as const;

const [tab, lineFeed, carriageReturn, quote, colon, semicolon, equals, backslash] = [9, 10, 13, 34, 58, 59, 61, 92];

/**
 * Trailers that would change how the request is read, or by which server, if an implementation merged them into the
 * head. RFC 9110, section 6.5.1.
 */
const forbiddenTrailers = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
/** Characters of a trailer's name that are kept, to compare it with the forbidden names. */
const mostOfName = 32;

const isToken = new Uint8Array(256);
for (const character of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
  isToken[character.charCodeAt(0)] = 1;
}

/**
 * Decodes the chunks of one body. It accepts less than HTTP's grammar allows, and never more: two parsers that read one
 * body differently would allow request smuggling. It discards extensions and trailers.
 */
export class ChunkDecoder {
  readonly #mostOverhead: number;
  #part: number = part.size;
  /** The size of the current chunk, or the bytes of it that are still to come. */
  #left = 0;
  /** Digits of the current size. */
  #digits = 0;
  /** Characters of the current extension's name or value. */
  #characters = 0;
  /** Bytes that were no content, less those that the content explains. */
  #overhead = 0;
  /** The current trailer's name. */
  #name = '';
  /** The bytes behind the body, once the body has ended. */
  rest: Buffer | undefined;

  /** @param largestTrailers bytes, if fewer than usual are allowed */
  constructor(largestTrailers: number = mostOverhead) {
    this.#mostOverhead = Math.min(largestTrailers, mostOverhead);
  }

  /**
   * Decodes the next bytes of the connection in place: their content moves to their beginning.
   *
   * @returns the content, in the same memory
   * @throws RegistryError BAD_REQUEST if the bytes are no chunks. The connection is of no use afterwards
   */
  decode(bytes: Buffer): Buffer {
    let size = 0;
    let at = 0;
    while (at < bytes.length && this.#part !== part.end) {
      if (this.#part !== part.content) {
        this.#part = this.#next(bytes[at] ?? 0);
        at++;
        continue;
      }
      const count = Math.min(this.#left, bytes.length - at);
      if (size !== at) move(bytes, size, at, count);
      size += count;
      at += count;
      this.#left -= count;
      if (this.#left === 0) this.#part = part.endOfContent;
    }
    if (this.#part === part.end) this.rest = bytes.subarray(at);
    return bytes.subarray(0, size);
  }

  /** Reads one byte that is no content. Returns the part that the next byte belongs to. */
  #next(byte: number): number {
    this.#overhead++;
    if (this.#overhead > this.#mostOverhead)
      throw malformed('its chunks have more extensions or trailers than allowed');
    switch (this.#part) {
      case part.size:
        return this.#inSize(byte);
      case part.extensionName:
      case part.extensionValue:
      case part.afterQuoted:
        return this.#inExtension(byte);
      case part.quoted:
        if (byte === quote) return part.afterQuoted;
        return quoted(byte, byte === backslash ? part.escaped : part.quoted);
      case part.escaped:
        return quoted(byte, part.quoted);
      case part.endOfSize:
        return this.#afterSize(byte);
      case part.endOfContent:
        return expected(byte, carriageReturn, part.afterContent);
      case part.afterContent:
        return expected(byte, lineFeed, part.size);
      case part.endOfTrailer:
        return expected(byte, lineFeed, part.trailer);
      case part.nothing:
        return expected(byte, lineFeed, part.end);
      default:
        return this.#inTrailer(byte);
    }
  }

  #inSize(byte: number): number {
    const digit = valueOf(byte);
    if (digit >= 0) {
      this.#left = this.#left * 16 + digit;
      this.#digits++;
      if (this.#digits > mostDigits || this.#left > Number.MAX_SAFE_INTEGER) throw malformed('a chunk is too large');
      return part.size;
    }
    if (this.#digits === 0) throw malformed('a chunk does not begin with its size, in hexadecimal digits');
    return this.#endOfSize(byte);
  }

  #inExtension(byte: number): number {
    if (this.#part !== part.afterQuoted) {
      if (isToken[byte] === 1) {
        this.#characters++;
        return this.#part;
      }
      const isEmpty = this.#characters === 0;
      if (byte === quote && isEmpty && this.#part === part.extensionValue) return part.quoted;
      if (isEmpty) throw malformed('a chunk has an extension without a name or a value');
      if (byte === equals && this.#part === part.extensionName) {
        this.#characters = 0;
        return part.extensionValue;
      }
    }
    return this.#endOfSize(byte);
  }

  /** The end of a size or of an extension: another extension, or the end of the line. */
  #endOfSize(byte: number): number {
    if (byte === carriageReturn) return part.endOfSize;
    if (byte !== semicolon) throw malformed('the size of a chunk is not valid');
    this.#characters = 0;
    return part.extensionName;
  }

  #afterSize(byte: number): number {
    const isLast = this.#left === 0;
    this.#overhead = Math.max(this.#overhead - overheadPerChunk - 2 * this.#left, 0);
    this.#digits = 0;
    return expected(byte, lineFeed, isLast ? part.trailer : part.content);
  }

  #inTrailer(byte: number): number {
    switch (this.#part) {
      case part.trailer:
        if (byte === carriageReturn) return part.nothing;
        this.#name = '';
        return this.#inTrailerName(byte);
      case part.trailerName:
        return this.#inTrailerName(byte);
      default:
        if (byte === carriageReturn) return part.endOfTrailer;
        if (byte === tab || (byte >= 32 && byte !== 127)) return part.trailerValue;
        throw malformed('a trailer has characters that HTTP does not allow');
    }
  }

  #inTrailerName(byte: number): number {
    if (isToken[byte] === 1) {
      if (this.#name.length < mostOfName) this.#name += String.fromCharCode(byte);
      return part.trailerName;
    }
    if (byte !== colon || this.#name === '') throw malformed('a trailer is not a field');
    if (forbiddenTrailers.has(this.#name.toLowerCase())) throw malformed(`${this.#name} cannot be a trailer`);
    return part.trailerValue;
  }
}

/** Moves bytes towards the beginning. A call into the runtime takes longer than moving a few bytes here. */
function move(bytes: Buffer, to: number, from: number, count: number): void {
  if (count > 32) bytes.copyWithin(to, from, from + count);
  else for (let i = 0; i < count; i++) bytes[to + i] = bytes[from + i] ?? 0;
}

/** The value of a hexadecimal digit; -1 for every other byte. */
function valueOf(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

function quoted(byte: number, next: number): number {
  if (byte === tab || (byte >= 32 && byte < 127)) return next;
  throw malformed('a chunk has an extension with characters that HTTP does not allow');
}

function expected(byte: number, wanted: number, next: number): number {
  if (byte === wanted) return next;
  throw malformed('a line or a chunk does not end with CR LF');
}

function malformed(reason: string): RegistryError {
  return new RegistryError('BAD_REQUEST', `the body is not sent in valid chunks: ${reason}`);
}
