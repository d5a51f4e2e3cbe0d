// Reading the heads of requests on the fast path.
import { HeaderFields } from './header-fields.ts';

/**
 * A request that the fast path may answer: its body has a known length or comes in chunks, and it needs nothing before
 * or after its answer.
 */
export interface FastRequest {
  /** One of the methods of the API, or OPTIONS. */
  readonly method: string;
  /** The path and the query, as the client sent them. */
  readonly target: string;
  /** The header fields. */
  readonly fields: HeaderFields;
  /** Bytes of the body; 0 if it comes in chunks. */
  readonly length: number;
  /** True if the body comes in chunks. */
  readonly isChunked: boolean;
  /** Bytes before the body. */
  readonly headSize: number;
  /** True if the client asks for the end of the connection after the answer. */
  readonly isLast: boolean;
}

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
const version = ' HTTP/1.1';
const pathAndQuery = /^\/[!"$-~]*$/;
/** Header fields of visible characters, each on one line. */
const wellFormed = /^(?:\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~]*)+$/;
/** Fields that change how the request ends, or that ask for something before the answer. */
const unusualField = /\r\n(?:expect|upgrade|te|trailer|http2-settings|proxy-connection):/;
/**
 * Bytes of fields that a connection keeps for its next request: ten thousand idle connections must not keep long heads.
 */
const mostKept = 4 * 1024;
/** An encoding of the body that is not, and cannot become, one `chunked` and nothing else. */
const unusualEncoding = /\r\ntransfer-encoding:(?![\t ]*(?:c|$))/;
/** Methods whose requests may have a chunked body. */
const methodsWithChunks = new Set(['POST', 'PUT', 'PATCH']);
const fewDigits = /^[0-9]{1,9}$/;
/** The beginning of a request line after its method, cut off anywhere. */
const beginningOfTarget = /^(?:\/[!"$-~]*(?: (?:H(?:T(?:T(?:P(?:\/(?:1(?:\.(?:1\r?)?)?)?)?)?)?)?)?)?)?$/;
/** Complete lines of fields, and one that is cut off anywhere. */
const beginningOfFields =
  /^(?:\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~]*)*(?:\r?|\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]*(?::[\t -~]*)?\r?|\r\n\r)$/;
/** Fields that must not be repeated: two parsers could pick different ones. */
const repeatedField =
  /\r\n(authorization|content-type|cookie|from|if-modified-since|if-unmodified-since|max-forwards|proxy-authorization|referer|user-agent):[^]*\r\n\1:/;

/**
 * Reads the heads of the requests of one connection.
 *
 * It accepts less than HTTP's grammar allows, and never more. Two parsers that read one request differently would allow
 * request smuggling. Node's parser reads every request that this class refuses.
 */
export class FastRequestReader {
  readonly #largestHead: number;
  /** The fields of the last two requests. Clients send the same ones again, or those of a POST and a PUT in turn. */
  #last: KeptFields = none;
  #before: KeptFields = none;

  /** @param largestHead maximum bytes of a head */
  constructor(largestHead: number) {
    this.#largestHead = largestHead;
  }

  /**
   * Reads the head of a request.
   *
   * @param bytes the received bytes, from the first byte of the request
   * @returns undefined if the head is incomplete; null if the fast path cannot answer the request, whatever follows
   */
  read(bytes: Buffer): FastRequest | null | undefined {
    const end = bytes.indexOf('\r\n\r\n', 0, 'latin1');
    const headSize = end + 4;
    if (end < 0) return bytes.length > this.#largestHead || !canBecomeHead(bytes) ? null : undefined;
    if (headSize > this.#largestHead) return null;
    const endOfLine = bytes.indexOf('\r\n', 0, 'latin1');
    // Convert this line alone: a tag that is kept would otherwise keep the whole head in memory.
    const line = bytes.toString('latin1', 0, endOfLine);
    const endOfMethod = line.indexOf(' ');
    const method = line.slice(0, endOfMethod);
    const target = line.slice(endOfMethod + 1, -version.length);
    if (!methods.has(method) || !line.endsWith(version) || !pathAndQuery.test(target)) return null;
    const fields = this.#fieldsIn(bytes, endOfLine, end);
    if (fields === undefined || (fields.isChunked && !methodsWithChunks.has(method))) return null;
    const { contentLength: length, isChunked, isLast } = fields;
    return { method, target, fields, length, isChunked, headSize, isLast };
  }

  #fieldsIn(bytes: Buffer, start: number, end: number): HeaderFields | undefined {
    if (end - start > mostKept) return readFields(bytes.toString('latin1', start, end));
    if (isSame(this.#last.bytes, bytes, start, end)) return this.#last.fields;
    const before = this.#before;
    this.#before = this.#last;
    if (isSame(before.bytes, bytes, start, end)) {
      this.#last = before;
    } else {
      const kept = Buffer.from(bytes.subarray(start, end));
      this.#last = { bytes: kept, fields: readFields(kept.toString('latin1')) };
      if (kept.length + this.#before.bytes.length > mostKept) this.#before = none;
    }
    return this.#last.fields;
  }
}

/** Fields that were read, and their bytes. */
interface KeptFields {
  readonly bytes: Buffer;
  readonly fields: HeaderFields | undefined;
}

const none: KeptFields = { bytes: Buffer.alloc(0), fields: undefined };

function isSame(kept: Buffer, bytes: Buffer, start: number, end: number): boolean {
  return kept.length === end - start && bytes.compare(kept, 0, kept.length, start, end) === 0;
}

/** @returns undefined if the fast path cannot answer a request with these fields */
function readFields(text: string): HeaderFields | undefined {
  if (!wellFormed.test(text)) return undefined;
  const fields = new HeaderFields(text);
  const host = fields.get('host');
  if (host === undefined || host.includes(',') || fields.matches(unusualField)) return undefined;
  if (fields.matches(repeatedField)) return undefined;
  const connection = fields.get('connection')?.toLowerCase();
  if (connection !== undefined && connection !== 'keep-alive' && connection !== 'close') return undefined;
  // A body with both a length and chunks is an attempt to smuggle a request. `node:http` refuses it.
  if (fields.isChunked) return isOnlyChunked(fields) ? fields : undefined;
  return fewDigits.test(fields.get('content-length') ?? '0') ? fields : undefined;
}

function isOnlyChunked(fields: HeaderFields): boolean {
  return fields.get('transfer-encoding')?.toLowerCase() === 'chunked' && fields.get('content-length') === undefined;
}

/**
 * True if more bytes can make this the head of a request that the fast path answers. The first bytes of a TLS client
 * cannot: most clients try TLS first, and wait for the answer before they try HTTP.
 */
function canBecomeHead(bytes: Buffer): boolean {
  const text = bytes.toString('latin1');
  const endOfLine = text.indexOf('\r\n');
  const line = endOfLine < 0 ? text : text.slice(0, endOfLine);
  const endOfMethod = line.indexOf(' ');
  if (endOfMethod < 0) return endOfLine < 0 && isBeginningOfMethod(line);
  if (!methods.has(line.slice(0, endOfMethod))) return false;
  const rest = line.slice(endOfMethod + 1);
  if (endOfLine < 0) return beginningOfTarget.test(rest);
  if (!rest.endsWith(version) || !pathAndQuery.test(rest.slice(0, -version.length))) return false;
  const fields = text.slice(endOfLine);
  if (!beginningOfFields.test(fields)) return false;
  const lowerCase = fields.toLowerCase();
  return !unusualField.test(lowerCase) && !unusualEncoding.test(lowerCase);
}

function isBeginningOfMethod(text: string): boolean {
  for (const method of methods) if (method.startsWith(text)) return true;
  return false;
}
