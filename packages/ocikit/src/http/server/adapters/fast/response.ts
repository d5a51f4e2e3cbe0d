import type { OutgoingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';

import type { ResponseWriter } from '../socket/index.ts';

/** The answer to a plain request, straight to its connection. Its body is as long as its `Content-Length` says. */
export class FastResponse implements ResponseWriter {
  readonly #socket: Socket;
  readonly #method: string;
  /** Whether no other request may follow on the connection. The answer itself may say so. */
  isLast: boolean;
  /** The head, as long as nothing has been written. */
  #head: string | undefined;
  /** Whoever gets an answer without a body takes what follows its head for the next answer. */
  #hasBody = true;
  headersSent = false;

  /** @param method of the request */
  constructor(socket: Socket, method: string, isLast: boolean) {
    this.#socket = socket;
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
    this.#head = formatHead(status, headers, this.isLast);
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
      if (text !== '') this.#socket.write(text, encoding);
    }
    if (this.isLast) this.#socket.destroySoon();
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
/** Those that were found good: there are few different ones. */
const goodNames = new Set<string>();

/** What this server says itself. A middleware that hands on another server's answer hands on its fields as well. */
const ownFields = new Set(['connection', 'date', 'keep-alive', 'transfer-encoding']);

/** @throws TypeError if a header would end where it does not look like it, or has what no header may have */
function formatHead(status: number, headers: OutgoingHttpHeaders, isLast: boolean): string {
  if (!Number.isInteger(status) || status < 200 || status > 999) throw new TypeError(`${status} is no answer's status`);
  let head = `HTTP/1.1 ${status} ${reasons[status] ?? ''}\r\n`;
  for (const name in headers) {
    const value = headers[name];
    if (typeof value === 'string') head += formatField(name, value);
    else if (Array.isArray(value)) for (const one of value) head += formatField(name, one);
    else if (value !== undefined) head += formatField(name, `${value}`);
  }
  return head + dateField + (isLast ? 'Connection: close\r\n\r\n' : keptAlive);
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
    if (!token.test(name)) throw new TypeError(`${JSON.stringify(name)} cannot be a header's name`);
    if (goodNames.size < 1000) goodNames.add(name);
  }
  // Its value may be a secret.
  if (forbidden.test(value)) throw new TypeError(`the header ${name} has what no header may have`);
  return `${name}: ${value}\r\n`;
}

/** Seconds that a connection may wait for its next request. */
export const keepAlive = 60;
const keptAlive = `Connection: keep-alive\r\nKeep-Alive: timeout=${keepAlive}\r\n\r\n`;

let second = 0;
let dateField = '';

/** To be called before answers are sent: asking for the time takes longer than most fields do. */
export function noteTime(): void {
  const now = Math.floor(Date.now() / 1000);
  if (now === second) return;
  second = now;
  dateField = `Date: ${new Date(now * 1000).toUTCString()}\r\n`;
}

/** RFC 9110, section 15: what the server answers. It may be empty. */
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
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  507: 'Insufficient Storage',
};
