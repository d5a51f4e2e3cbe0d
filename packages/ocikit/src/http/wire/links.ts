/** The `Link` header that leads to the next page. RFC 8288; distribution specification, "Listing Tags". */
export function formatNextLink(path: string, query: URLSearchParams): string {
  return `<${path}?${query.toString()}>; rel="next"`;
}
