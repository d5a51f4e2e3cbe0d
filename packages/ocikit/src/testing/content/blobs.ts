import { digestOf, mediaTypes } from '../../model/index.ts';
import type { Descriptor } from '../../model/index.ts';

import { randomBytes } from './random.ts';

/** Bytes together with the descriptor that names them. */
export interface TestBlob {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

export interface BlobOptions {
  /** What the descriptor says; `application/octet-stream` if it is left out. */
  mediaType?: string | undefined;
  /** `sha256` if it is left out. */
  algorithm?: string | undefined;
}

/** @param content a text is encoded as UTF-8 */
export function blobOf(content: Uint8Array | string, options: BlobOptions = {}): TestBlob {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  const { mediaType = mediaTypes.octetStream, algorithm } = options;
  return { descriptor: { mediaType, digest: digestOf(bytes, algorithm), size: bytes.length }, bytes };
}

/** @param size in bytes */
export function randomBlob(size: number = 1024, options: BlobOptions = {}): TestBlob {
  return blobOf(randomBytes(size), options);
}

/** The blob `{}`, which stands for "no config" and "no content". Image specification, "Guidance for an Empty Descriptor". */
export function emptyJson(algorithm?: string): TestBlob {
  return blobOf('{}', { mediaType: mediaTypes.empty, algorithm });
}
