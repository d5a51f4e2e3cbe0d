// Reads a `multipart/byteranges` body as strictly as the RFCs write it, for tests of the server.

/** A part of such a body. */
export interface BodyPart {
  /** The headers, by names in lower case. */
  headers: Record<string, string>;
  /** The bytes, as text with one character for each byte. */
  body: string;
}

/** The parts of a body. Throws if there is anything else in it. */
export function multipartOf(contentType: string | null, body: Uint8Array): BodyPart[] {
  const boundary = /^multipart\/byteranges; ?boundary=([0-9A-Za-z]{20,70})$/.exec(contentType ?? '')?.[1];
  if (boundary === undefined) throw new Error(`no multipart/byteranges: ${contentType}`);
  const text = Buffer.from(body).toString('latin1');
  const [before, ...parts] = `\r\n${text}`.split(`\r\n--${boundary}`);
  if (before !== '') throw new Error(`bytes before the first part: ${before}`);
  if (parts.pop() !== '--\r\n') throw new Error('the body has no end, or something behind it');
  return parts.map((part) => {
    const end = part.indexOf('\r\n\r\n');
    const lines = part.slice(0, end).split('\r\n');
    if (end < 0 || lines.shift() !== '') throw new Error(`a part without a head: ${part.slice(0, 200)}`);
    const headers = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    );
    return { headers, body: part.slice(end + 4) };
  });
}
