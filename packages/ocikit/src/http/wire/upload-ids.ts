// Upload ids as segments of a path.
import { fromBase64Url, toBase64Url } from '../../model/index.ts';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

const safe = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;

/**
 * Encodes an upload id as one segment of a path. An id may be any text, for example a URL of another registry. An id
 * with unsafe characters becomes base64url, which no proxy changes.
 */
export function encodeUploadId(id: string): string {
  return safe.test(id) ? id : `~${toBase64Url(new TextEncoder().encode(id))}`;
}

/** Decodes a segment of {@link encodeUploadId}. Any other segment is returned unchanged, as it is no known id. */
export function decodeUploadId(segment: string): string {
  if (!segment.startsWith('~')) return segment;
  const bytes = fromBase64Url(segment.slice(1));
  const id = bytes === undefined ? undefined : decoder.decode(bytes);
  // Base64 and UTF-8 allow several spellings of one text. Accept only the one that encoding gives.
  return id !== undefined && encodeUploadId(id) === segment ? id : segment;
}
