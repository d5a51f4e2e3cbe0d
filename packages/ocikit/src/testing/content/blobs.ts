// Blobs for tests.
import { digestOf, mediaTypes } from '../../model/index.ts';
import type { Descriptor } from '../../model/index.ts';

import { randomBytes } from './random.ts';

/** Bytes together with the descriptor that names them. */
export interface TestBlob {
  /** Media type, digest and size. */
  readonly descriptor: Descriptor;
  /** The content. */
  readonly bytes: Uint8Array;
}

/** Options of {@link blobOf} and {@link randomBlob}. */
export interface BlobOptions {
  /** The media type in the descriptor. Default: `application/octet-stream`. */
  mediaType?: string | undefined;
  /** The digest's algorithm, `sha256` or `sha512`. Default: `sha256`. */
  algorithm?: string | undefined;
}

/**
 * Makes a blob of these bytes.
 *
 * @param content a text is encoded as UTF-8
 * @example
 * const { descriptor, bytes } = blobOf('hello', { mediaType: 'text/plain' });
 * await registry.pushBlob('library/example', descriptor, bytes);
 */
export function blobOf(content: Uint8Array | string, options: BlobOptions = {}): TestBlob {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  const { mediaType = mediaTypes.octetStream, algorithm } = options;
  return { descriptor: { mediaType, digest: digestOf(bytes, algorithm), size: bytes.length }, bytes };
}

/**
 * Makes a blob of random bytes.
 *
 * @param size in bytes. Default: 1024
 * @example
 * const layer = randomBlob(5_000_000, { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' });
 */
export function randomBlob(size: number = 1024, options: BlobOptions = {}): TestBlob {
  return blobOf(randomBytes(size), options);
}

/**
 * Makes the blob `{}`, which stands for "no config" and "no content".
 * Image specification, "Guidance for an Empty Descriptor".
 *
 * @param algorithm the digest's algorithm. Default: `sha256`
 */
export function emptyJson(algorithm?: string): TestBlob {
  return blobOf('{}', { mediaType: mediaTypes.empty, algorithm });
}
