/** Of all headers together. Distribution specification, "Warnings". */
const maxBytes = 4096;

/** `Warning` headers, as many as there is room for: 299, "miscellaneous persistent warning", of no named agent. */
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

/** Code, agent, quoted text and perhaps a quoted date, up to the next comma. RFC 7234, section 5.5. */
const warning = /[\s,]*(\d{3}) +(\S+) +"((?:[^"\\]|\\.)*)"(?: +"[^"]*")?\s*(?=,|$)/y;

/**
 * The texts for a person in `Warning` headers; the inverse of {@link formatWarnings}. Other codes than 299 are those of
 * caches, and what follows something malformed is lost. What is far longer than it may be is not looked at in full.
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
