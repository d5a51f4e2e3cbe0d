// The header fields of a request on the fast path.

/** The fields of a well-formed head. A field is searched when it is asked for, as most fields never are. */
export class HeaderFields {
  /** The fields, each with the line break before it. */
  readonly #text: string;
  readonly #lowerCase: string;
  /** Bytes of the body, as far as they are announced. */
  readonly contentLength: number;
  /** True if the body comes in chunks. */
  readonly isChunked: boolean;
  /** True if the client asks for the end of the connection. */
  readonly isLast: boolean;
  readonly #found = new Map<string, string | undefined>();

  constructor(text: string) {
    this.#text = text;
    this.#lowerCase = text.toLowerCase();
    this.contentLength = Number(this.get('content-length') ?? '0');
    this.isChunked = this.#lowerCase.includes('\r\ntransfer-encoding:');
    this.isLast = this.get('connection')?.toLowerCase() === 'close';
  }

  /** Returns true if the fields, in lower case, match a pattern. */
  matches(pattern: RegExp): boolean {
    return pattern.test(this.#lowerCase);
  }

  /**
   * Returns the value of a field, several of one name joined by commas. RFC 9110, section 5.3.
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
