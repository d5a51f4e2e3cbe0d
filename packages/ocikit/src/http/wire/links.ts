// The `Link` header: the next page of a list. RFC 8288; distribution specification, "Listing Tags".

/** Formats the `Link` header to the next page. */
export function formatNextLink(path: string, query: URLSearchParams): string {
  return `<${path}?${query.toString()}>; rel="next"`;
}

/** A target and its parameters, up to the next comma. Some registries write the target without brackets. */
const link =
  /[\s,]*(?:<([^>]*)>|([^\s<>;,]+))((?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|'[^']*'|(?!')[^\s;,"]*))?)*)\s*(?=,|$)/y;
const parameter = /;\s*([^\s=;,]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|('[^']*'|(?!')[^\s;,"]*)))?/g;

/**
 * Returns the target of the next page in a `Link` header; undefined on the last page. The inverse of {@link
 * formatNextLink}. A single link without a relation is the next page too: lists have no other links, and a list must
 * not end there without an error.
 *
 * @returns null if the header cannot be read
 */
export function parseNextLink(header: string): string | null | undefined {
  link.lastIndex = 0;
  const unrelated: string[] = [];
  let count = 0;
  let end = 0;
  for (let found = link.exec(header); found !== null; found = link.exec(header)) {
    const [, bracketed, bare = '', parameters = ''] = found;
    const target = bracketed ?? bare;
    count++;
    end = link.lastIndex;
    // If a link has several relations, only the first one counts. RFC 8288, section 3.3.
    const relation = [...parameters.matchAll(parameter)].find(([, name]) => name?.toLowerCase() === 'rel');
    const types = (relation?.[2] ?? relation?.[3] ?? '').toLowerCase().replaceAll("'", '').split(/\s+/);
    if (types.includes('next')) return target;
    if (relation === undefined) unrelated.push(target);
  }
  if (/[^\s,]/.test(header.slice(end))) return null;
  return count === 1 ? unrelated[0] : undefined;
}
