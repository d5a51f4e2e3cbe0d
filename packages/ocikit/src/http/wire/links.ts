// The `Link` header: the next page of a list. RFC 8288; distribution specification, "Listing Tags".

/** Formats the `Link` header to the next page. */
export function formatNextLink(path: string, query: URLSearchParams): string {
  return `<${path}?${query.toString()}>; rel="next"`;
}

/** A target and its parameters, up to the next comma. */
const link = /[\s,]*<([^>]*)>((?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)\s*(?=,|$)/y;
const parameter = /;\s*([^\s=;,]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?/g;

/**
 * Returns the target of the next page in a `Link` header; undefined on the last page. The inverse of {@link
 * formatNextLink}. A last link without a relation is the next page too: lists have no other links, and a list must not
 * end there without an error.
 *
 * @returns null if the header cannot be read
 */
export function parseNextLink(header: string): string | null | undefined {
  let rest = 0;
  let unrelated: string | undefined;
  link.lastIndex = 0;
  for (let found = link.exec(header); found !== null; found = link.exec(header)) {
    const [, target, parameters = ''] = found;
    // If a link has several relations, only the first one counts. RFC 8288, section 3.3.
    const relation = [...parameters.matchAll(parameter)].find(([, name]) => name?.toLowerCase() === 'rel');
    // Some write it in single quotes.
    const types = (relation?.[2] ?? relation?.[3] ?? '').toLowerCase().split(/[\s']+/);
    if (types.includes('next')) return target;
    unrelated = relation === undefined ? target : undefined;
    rest = link.lastIndex;
  }
  return /[^\s,]/.test(header.slice(rest)) ? null : unrelated;
}
