/** Bytes of the content that a message is about; undefined if its headers do not say, or the content is encoded. */
export function lengthIn({ headers }: { readonly headers: Headers }): number | undefined {
  const length = headers.get('content-length');
  // Encoded content has another length once it is decoded.
  const isEncoded = !['', 'identity'].includes(headers.get('content-encoding') ?? '');
  return length !== null && /^\d+$/.test(length) && !isEncoded ? Number(length) : undefined;
}
