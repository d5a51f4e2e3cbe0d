// Responses of the fast path, written straight to their connection.
import type { OutgoingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';

import type { ResponseWriter } from '../socket/index.ts';

/** The response to a request of the fast path. Its body has to be as long as its `Content-Length` says. */
export class FastResponse implements ResponseWriter {
  readonly #socket: Socket;
  readonly #method: string;
  readonly #keptAlive: string;
  /** True if the connection ends with this response. A `Connection: close` header of the response makes it so. */
  isLast: boolean;
  /** The head, until it has been written. */
  #head: string | undefined;
  /** False if the response must not have a body: the client would parse the body as the next response. */
  #hasBody = true;
  headersSent = false;
  /** True if the client may still send: after the last response, only this side of the connection ends. */
  isEarly = false;

  /**
   * @param method the method of the request
   * @param keptAlive the text of {@link keepAliveFields}
   */
  constructor(socket: Socket, method: string, isLast: boolean, keptAlive: string) {
    this.#socket = socket;
    this.#keptAlive = keptAlive;
    this.#method = method;
    this.isLast = isLast;
  }

  get destroyed(): boolean {
    return this.#socket.destroyed;
  }

  get writableNeedDrain(): boolean {
    return this.#socket.writableNeedDrain;
  }

  writeHead(status: number, headers: OutgoingHttpHeaders): void {
    if (asksToEnd(headers)) this.isLast = true;
    this.#head = formatHead(status, headers, this.isLast ? closing : this.#keptAlive);
    this.#hasBody = this.#method !== 'HEAD' && status !== 204 && status !== 304;
    this.headersSent = true;
  }

  write(bytes: Uint8Array, whenWritten?: () => void): void {
    const head = this.#takeHead();
    if (!this.#hasBody) {
      this.#socket.write(head, 'latin1', whenWritten);
      return;
    }
    if (head === '') {
      this.#socket.write(bytes, whenWritten);
      return;
    }
    this.#socket.cork();
    this.#socket.write(head, 'latin1');
    this.#socket.write(bytes, whenWritten);
    this.#socket.uncork();
  }

  end(body: Uint8Array | string = '', encoding: 'latin1' | 'utf8' = 'utf8'): void {
    if (typeof body !== 'string') {
      this.write(body);
    } else {
      const text = this.#hasBody ? this.#takeHead() + body : this.#takeHead();
      // A head alone is latin1, which takes less than UTF-8.
      if (text !== '') this.#socket.write(text, body === '' ? 'latin1' : encoding);
    }
    if (this.isLast && this.isEarly) this.#socket.end();
    else if (this.isLast) this.#socket.destroySoon();
  }

  once(event: 'drain' | 'close', listener: () => void): void {
    this.#socket.once(event, listener);
  }

  removeListener(event: 'close', listener: () => void): void {
    this.#socket.removeListener(event, listener);
  }

  #takeHead(): string {
    const head = this.#head ?? '';
    this.#head = undefined;
    return head;
  }
}

const forbidden = /[^\t\x20-\x7e\x80-\xff]/;
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Names that passed the check. A server uses few different names. */
const goodNames = new Set<string>();

/**
 * Fields that this server sets itself. They are left out of a reply: a proxying middleware may copy them from another
 * server.
 */
const ownFields = new Set(['connection', 'date', 'keep-alive', 'transfer-encoding']);

/** @throws TypeError if the status, or a header's name or value, is not allowed by HTTP */
function formatHead(status: number, headers: OutgoingHttpHeaders, lastFields: string): string {
  if (!Number.isInteger(status) || status < 200 || status > 999)
    throw new TypeError(`${status} is not the status of an answer; use 200 to 999`);
  let head = `HTTP/1.1 ${status} ${reasons[status] ?? ''}\r\n`;
  for (const name in headers) {
    const value = headers[name];
    if (typeof value === 'string') head += formatField(name, value);
    else if (Array.isArray(value)) for (const one of value) head += formatField(name, one);
    else if (value !== undefined) head += formatField(name, `${value}`);
  }
  return head + dateField + lastFields;
}

function asksToEnd(headers: OutgoingHttpHeaders): boolean {
  for (const name in headers) {
    if (name.length === connection.length && name.toLowerCase() === connection) {
      return /\bclose\b/i.test(String(headers[name]));
    }
  }
  return false;
}

const connection = 'connection';

function formatField(name: string, value: string): string {
  if (!goodNames.has(name)) {
    if (ownFields.has(name.toLowerCase())) return '';
    if (!token.test(name)) throw new TypeError(`${JSON.stringify(name)} is not a header name`);
    if (goodNames.size < 1000) goodNames.add(name);
  }
  // Leave the value out of the error: it may be a secret.
  if (forbidden.test(value))
    throw new TypeError(`the value of the header ${name} has characters that HTTP does not allow`);
  return `${name}: ${value}\r\n`;
}

const closing = 'Connection: close\r\n\r\n';

/**
 * The last fields of a response after which the connection stays open.
 *
 * @param timeout milliseconds for which the client may reuse the connection
 */
export function keepAliveFields(timeout: number): string {
  return `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(timeout / 1000)}\r\n\r\n`;
}

let second = 0;
let dateField = '';

/**
 * Updates the `Date` field. Call it once before a batch of responses: reading the clock costs more than most fields.
 */
export function noteTime(): void {
  const now = Math.floor(Date.now() / 1000);
  if (now === second) return;
  second = now;
  dateField = `Date: ${new Date(now * 1000).toUTCString()}\r\n`;
}

/** Reason phrases of the statuses that the server uses. Other statuses have none. RFC 9110, section 15. */
const reasons: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  204: 'No Content',
  206: 'Partial Content',
  304: 'Not Modified',
  307: 'Temporary Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  408: 'Request Timeout',
  409: 'Conflict',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  421: 'Misdirected Request',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  507: 'Insufficient Storage',
};
