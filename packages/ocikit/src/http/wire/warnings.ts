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
