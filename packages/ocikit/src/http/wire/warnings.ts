// The `Warning` headers. Distribution specification, "Warnings"; RFC 7234, section 5.5.

/** Maximum bytes of all `Warning` headers of an answer together. */
const maxBytes = 4096;

/**
 * Formats texts as `Warning` headers of the code 299 and without an agent. Leaves out texts for which there is no room.
 */
export function formatWarnings(texts: readonly string[]): string[] {
  const headers: string[] = [];
  let left = maxBytes;
  for (const text of texts) {
    const header = `299 - "${text.replaceAll(/[^\x20-\x7e]+/g, ' ').replaceAll(/["\\]/g, '\\$&')}"`;
    if (header.length > left) continue;
    left -= header.length;
    headers.push(header);
  }
  return headers;
}

/** Code, agent, quoted text and an optional quoted date, up to the next comma. */
const warning = /[\s,]*(\d{3}) +(\S+) +"((?:[^"\\]|\\.)*)"(?: +"[^"]*")?\s*(?=,|$)/y;

/**
 * Returns the texts for the user in `Warning` headers; the inverse of {@link formatWarnings}. Warnings with another
 * code than 299 come from caches and are left out. Parsing stops at the first malformed warning, or after twice the
 * allowed length.
 */
export function parseWarnings(header: string): string[] {
  const texts: string[] = [];
  const bounded = header.slice(0, 2 * maxBytes);
  warning.lastIndex = 0;
  for (let found = warning.exec(bounded); found !== null; found = warning.exec(bounded)) {
    const [, code, agent, text = ''] = found;
    if (code === '299' && agent === '-') texts.push(text.replaceAll(/\\(.)/g, '$1').replaceAll(/[^\x20-\x7e]+/g, ' '));
  }
  return texts;
}
