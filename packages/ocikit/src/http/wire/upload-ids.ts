import { fromBase64Url, toBase64Url } from '../../model/index.ts';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

const plain = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;

/**
 * An upload id as one segment of a path. An id may be anything, also another registry's URL: what is not safe as it is
 * becomes base64url, which no proxy on the way touches.
 */
export function encodeUploadId(id: string): string {
  return plain.test(id) ? id : `~${toBase64Url(new TextEncoder().encode(id))}`;
}

/** The inverse of {@link encodeUploadId}. What is not of its form is nobody's id, and stays as it is. */
export function decodeUploadId(segment: string): string {
  if (!segment.startsWith('~')) return segment;
  const bytes = fromBase64Url(segment.slice(1));
  const id = bytes === undefined ? undefined : decoder.decode(bytes);
  // Base64 and UTF-8 can both be written in more than one way; an id has one segment only.
  return id !== undefined && encodeUploadId(id) === segment ? id : segment;
}
