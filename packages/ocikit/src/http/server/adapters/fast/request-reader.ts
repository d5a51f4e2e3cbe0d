/** A request as most are: its body, if it has one, comes with a length, and nothing about it asks for more than an answer. */
export interface FastRequest {
  readonly method: string;
  /** The path and the query, as they came. */
  readonly target: string;
  readonly fields: HeaderFields;
  /** Bytes of the body. */
  readonly length: number;
  /** Bytes before the body. */
  readonly headSize: number;
}

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
const version = ' HTTP/1.1';
const pathAndQuery = /^\/[!"$-~]*$/;
/** Nothing but fields of visible characters, none of which goes on in the next line. */
const wellFormed = /^(?:\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~]*)+$/;
/** What changes where the request ends, or wants something before its answer. */
const unusualField = /\r\n(?:transfer-encoding|expect|upgrade|te|trailer|http2-settings|proxy-connection):/;
/** Bytes of fields that are kept for the next request: ten thousand connections that wait are not to keep as many long heads. */
const mostKept = 4 * 1024;
const fewDigits = /^[0-9]{1,9}$/;
/** Of these there is only one: which of several counts is not to depend on who reads them. */
const repeatedField =
  /\r\n(authorization|content-type|cookie|from|if-modified-since|if-unmodified-since|max-forwards|proxy-authorization|referer|user-agent):[^]*\r\n\1:/;

/**
 * Reads the heads of plain requests that come over one connection.
 *
 * It takes less than the grammar allows, and never more: two parsers that understand one request differently are how requests
 * are smuggled. Whatever it does not take is for a parser that knows all of HTTP.
 */
export class FastRequestReader {
  readonly #largestHead: number;
  /** A client nearly always says the same of its requests. */
  #lastBytes: Buffer = Buffer.alloc(0);
  #lastFields: HeaderFields | undefined;

  /** @param largestHead bytes that a head may have */
  constructor(largestHead: number) {
    this.#largestHead = largestHead;
  }

  /**
   * @param bytes what has come, from the first byte of a request on
   * @returns undefined if the head is not all there, null if the request is not plain
   */
  read(bytes: Buffer): FastRequest | null | undefined {
    const end = bytes.indexOf('\r\n\r\n', 0, 'latin1');
    const headSize = end + 4;
    if (end < 0) return bytes.length > this.#largestHead ? null : undefined;
    if (headSize > this.#largestHead) return null;
    const endOfLine = bytes.indexOf('\r\n', 0, 'latin1');
    // A text of its own: what of it is kept, as a tag, is not to keep the whole head.
    const line = bytes.toString('latin1', 0, endOfLine);
    const endOfMethod = line.indexOf(' ');
    const method = line.slice(0, endOfMethod);
    const target = line.slice(endOfMethod + 1, -version.length);
    if (!methods.has(method) || !line.endsWith(version) || !pathAndQuery.test(target)) return null;
    const fields = this.#fieldsIn(bytes, endOfLine, end);
    return fields === undefined ? null : { method, target, fields, length: fields.contentLength, headSize };
  }

  #fieldsIn(bytes: Buffer, start: number, end: number): HeaderFields | undefined {
    if (end - start > mostKept) return readFields(bytes.toString('latin1', start, end));
    const last = this.#lastBytes;
    if (last.length !== end - start || bytes.compare(last, 0, last.length, start, end) !== 0) {
      this.#lastBytes = Buffer.from(bytes.subarray(start, end));
      this.#lastFields = readFields(this.#lastBytes.toString('latin1'));
    }
    return this.#lastFields;
  }
}

/** @returns undefined if there is something unusual among them */
function readFields(text: string): HeaderFields | undefined {
  if (!wellFormed.test(text)) return undefined;
  const fields = new HeaderFields(text);
  const host = fields.get('host');
  if (host === undefined || host.includes(',') || fields.matches(unusualField)) return undefined;
  if (fields.matches(repeatedField)) return undefined;
  const connection = fields.get('connection');
  if (connection !== undefined && connection.toLowerCase() !== 'keep-alive') return undefined;
  return fewDigits.test(fields.get('content-length') ?? '0') ? fields : undefined;
}

/** The fields of a head that is well formed. They are looked for when somebody asks: most are never asked for. */
export class HeaderFields {
  /** Each with the end of the line before it. */
  readonly #text: string;
  readonly #lowerCase: string;
  /** Bytes of the body. */
  readonly contentLength: number;
  readonly #found = new Map<string, string | undefined>();

  constructor(text: string) {
    this.#text = text;
    this.#lowerCase = text.toLowerCase();
    this.contentLength = Number(this.get('content-length') ?? '0');
  }

  matches(pattern: RegExp): boolean {
    return pattern.test(this.#lowerCase);
  }

  /**
   * The value of a field; of several of that name, all, joined by commas. RFC 9110, section 5.3.
   *
   * @param name in lower case
   */
  get(name: string): string | undefined {
    let value = this.#found.get(name);
    if (value !== undefined || this.#found.has(name)) return value;
    const start = `\r\n${name}:`;
    for (let at = this.#lowerCase.indexOf(start); at >= 0; at = this.#lowerCase.indexOf(start, at + start.length)) {
      const from = at + start.length;
      const end = this.#lowerCase.indexOf('\r\n', from);
      const one = this.#text.slice(from, end < 0 ? undefined : end).trim();
      value = value === undefined ? one : `${value}, ${one}`;
    }
    this.#found.set(name, value);
    return value;
  }
}
