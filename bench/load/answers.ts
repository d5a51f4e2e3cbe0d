// Reading answers of HTTP/1.1 for the load generator.

/** A complete answer of HTTP/1.1. */
export interface Answer {
  readonly status: number;
  /** The status line and the header lines, without the empty line after them. */
  readonly head: string;
  readonly body: Buffer;
}

const nothing: Buffer = Buffer.alloc(0);

/**
 * Parses the answers on a connection with one request at a time. It understands the bodies that registries send: with a
 * Content-Length, in chunks without trailers, or none.
 */
export class AnswerReader {
  #held: Buffer = nothing;

  /**
   * @param piece is copied if it has to be kept, so its buffer may be used again
   * @param noBody true after a HEAD: no body follows the head, even with a Content-Length
   * @returns the answer, if this piece completes it
   */
  read(piece: Buffer, noBody: boolean): Answer | undefined {
    const bytes = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
    const answer = parse(bytes, noBody);
    if (answer !== undefined) this.#held = nothing;
    else this.#held = bytes === piece ? Buffer.from(piece) : bytes;
    return answer;
  }
}

/** Returns the value of a header in the head of an answer. The name is in lower case. */
export function header(head: string, name: string): string | undefined {
  // Searching the text in lower case is several times faster than a case-insensitive expression.
  const start = head.toLowerCase().indexOf(`\r\n${name}:`);
  if (start === -1) return undefined;
  const end = head.indexOf('\r\n', start + 2);
  return head.slice(start + name.length + 3, end === -1 ? undefined : end).trim();
}

function parse(bytes: Buffer, noBody: boolean): Answer | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd === -1) return undefined;
  const head = bytes.toString('latin1', 0, headEnd);
  const status = Number(head.slice(9, 12));
  if (!head.startsWith('HTTP/1.1 ') || !(status >= 200)) throw new Error(`not an answer: ${head.slice(0, 80)}`);
  const start = headEnd + 4;
  if (noBody || status === 204 || status === 304) return whole(bytes, status, head, nothing, start);

  const length = header(head, 'content-length');
  if (length !== undefined) {
    const end = start + Number(length);
    if (bytes.length < end) return undefined;
    return whole(bytes, status, head, bytes.subarray(start, end), end);
  }
  if (header(head, 'transfer-encoding') !== 'chunked') throw new Error(`an answer without a length: ${head}`);
  const chunks = readChunks(bytes, start);
  return chunks && whole(bytes, status, head, chunks.body, chunks.end);
}

function whole(bytes: Buffer, status: number, head: string, body: Buffer, end: number): Answer {
  if (bytes.length > end) throw new Error(`${bytes.length - end} bytes follow the answer: ${head}`);
  return { status, head, body };
}

function readChunks(bytes: Buffer, start: number): { body: Buffer; end: number } | undefined {
  const pieces: Buffer[] = [];
  let at = start;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd === -1) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    if (Number.isNaN(size)) throw new Error('a chunk without a size');
    const from = lineEnd + 2;
    at = from + size + 2;
    if (bytes.length < at) return undefined;
    if (size === 0) return { body: Buffer.concat(pieces), end: at };
    pieces.push(bytes.subarray(from, from + size));
  }
}
