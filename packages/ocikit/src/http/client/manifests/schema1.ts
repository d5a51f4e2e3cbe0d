// Docker's manifests of schema version 1, taken out of their envelope.
import { fromBase64Url, RegistryError } from '../../../model/index.ts';

import { concat, fieldsIn } from '../shared/index.ts';

/**
 * Takes a manifest out of its envelope. The signatures stand at its end. They say how many bytes before them belong to
 * the manifest, and which bytes stood in their place. They are not checked: the digest identifies the manifest.
 *
 * @throws RegistryError MANIFEST_INVALID
 */
export function unwrapSchema1(bytes: Uint8Array): Uint8Array {
  const { signatures } = fieldsOf(bytes);
  const headers = new Set(Array.isArray(signatures) ? signatures.map(protectedHeader) : []);
  const [header] = headers;
  const { formatLength, formatTail } = fieldsOf(decode(header));
  const tail = decode(formatTail);
  const length = Number.isInteger(formatLength) ? Number(formatLength) : -1;
  // All signatures have to be about the same bytes.
  if (headers.size !== 1 || tail === undefined || length < 0 || length > bytes.length) {
    throw new RegistryError(
      'MANIFEST_INVALID',
      'the signatures in the manifest do not say which of its bytes they sign',
    );
  }
  return concat([bytes.subarray(0, length), tail]);
}

function protectedHeader(signature: unknown): unknown {
  return typeof signature === 'object' && signature !== null && 'protected' in signature
    ? signature.protected
    : undefined;
}

/**
 * Decodes base64 of either alphabet, with or without padding, as signing programs differ; undefined if it is not
 * base64.
 */
function decode(text: unknown): Uint8Array | undefined {
  if (typeof text !== 'string') return undefined;
  return fromBase64Url(
    text
      .replaceAll('+', '-')
      .replaceAll('/', '_')
      .replace(/={1,2}$/, ''),
  );
}

function fieldsOf(bytes: Uint8Array | undefined): Readonly<Record<string, unknown>> {
  return fieldsIn(new TextDecoder().decode(bytes));
}
