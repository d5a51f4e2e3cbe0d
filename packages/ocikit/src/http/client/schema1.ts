import { fromBase64Url, RegistryError } from '../../model/index.ts';

/** Docker's manifests before version 2: no longer made, still found in registries. */
export const schema1MediaTypes = {
  unsigned: 'application/vnd.docker.distribution.manifest.v1+json',
  /** In an envelope of signatures, which is no part of what the digest is computed from. */
  signed: 'application/vnd.docker.distribution.manifest.v1+prettyjws',
} as const;

/**
 * Takes a manifest out of its envelope. The signatures stand at its end and say how many bytes before them belong to it,
 * and how it went on in their place; they themselves are not checked: the digest says what it is.
 *
 * @throws RegistryError MANIFEST_INVALID
 */
export function unwrapSchema1(bytes: Uint8Array): Uint8Array {
  const document = parseObject(bytes, 'the manifest');
  const signatures: unknown = document['signatures'];
  if (!Array.isArray(signatures) || signatures.length === 0) throw invalid('it has no signatures');
  const headers = new Set(signatures.map(protectedHeader));
  const [header] = headers;
  if (header === undefined || headers.size > 1) throw invalid('its signatures contradict each other');
  const { formatLength, formatTail } = parseObject(decode(header, 'protected'), 'what the signatures protect');
  if (
    typeof formatLength !== 'number' ||
    !(Number.isInteger(formatLength) && formatLength >= 0 && formatLength <= bytes.length)
  ) {
    throw invalid('its formatLength is not a part of its length');
  }
  if (typeof formatTail !== 'string') throw invalid('its formatTail is missing');
  const tail = decode(formatTail, 'formatTail');
  const manifest = new Uint8Array(formatLength + tail.length);
  manifest.set(bytes.subarray(0, formatLength));
  manifest.set(tail, formatLength);
  return manifest;
}

function protectedHeader(signature: unknown): string {
  const header = isObject(signature) ? signature['protected'] : undefined;
  if (typeof header !== 'string') throw invalid('a signature protects nothing');
  return header;
}

/** Base64 of either alphabet, with or without padding: programs that signed differ in that. */
function decode(text: string, field: string): Uint8Array {
  const bytes = fromBase64Url(
    text
      .replaceAll('+', '-')
      .replaceAll('/', '_')
      .replace(/={1,2}$/, ''),
  );
  if (bytes === undefined) throw invalid(`its ${field} is not base64`);
  return bytes;
}

function parseObject(bytes: Uint8Array, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw invalid(`${what} is not JSON`, cause);
  }
  if (!isObject(value)) throw invalid(`${what} is not a JSON object`);
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(reason: string, cause?: unknown): RegistryError {
  return new RegistryError('MANIFEST_INVALID', `a signed manifest cannot be read: ${reason}`, { cause });
}
