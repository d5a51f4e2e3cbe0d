/** The `Link` header that leads to the next page. RFC 8288; distribution specification, "Listing Tags". */
export function formatNextLink(path: string, query: URLSearchParams): string {
  return `<${path}?${query.toString()}>; rel="next"`;
}

/** A target with its parameters, up to the next comma. */
const link = /[\s,]*<([^>]*)>((?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)\s*(?=,|$)/y;
const parameter = /;\s*([^\s=;,]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?/g;

/** Where a `Link` header says that the next page is; the inverse of {@link formatNextLink}. Undefined if it is the last. */
export function parseNextLink(header: string): string | undefined {
  link.lastIndex = 0;
  for (let found = link.exec(header); found !== null; found = link.exec(header)) {
    const [, target, parameters = ''] = found;
    // Of several relations given, only the first counts. RFC 8288, section 3.3.
    const relation = [...parameters.matchAll(parameter)].find(([, name]) => name?.toLowerCase() === 'rel');
    const types = (relation?.[2] ?? relation?.[3] ?? '').toLowerCase().split(/\s+/);
    if (types.includes('next')) return target;
  }
  return undefined;
}
