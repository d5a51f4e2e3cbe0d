// The length of a message's content, and how the content is encoded on its way.

/**
 * The encodings of a message's content, in the order in which they were applied; none if it is as it is. `aws-chunked`
 * is a note of S3's about an upload, and no encoding of what it sends. RFC 9110, section 8.4.
 */
export function encodingsIn({ headers }: { readonly headers: Headers }): string[] {
  const encodings = (headers.get('content-encoding') ?? '').toLowerCase().split(',');
  return encodings.map((one) => one.trim()).filter((one) => !['', 'identity', 'aws-chunked'].includes(one));
}

/** Bytes of the content that a message is about; undefined if its headers do not say, or the content is encoded. */
export function lengthIn(message: { readonly headers: Headers }): number | undefined {
  const length = message.headers.get('content-length');
  // Encoded content has another length once it is decoded.
  const isEncoded = encodingsIn(message).length > 0;
  return length !== null && /^\d+$/.test(length) && !isEncoded ? Number(length) : undefined;
}
