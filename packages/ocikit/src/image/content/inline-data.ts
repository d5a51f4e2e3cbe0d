// Content that a descriptor carries itself, as base64.
import { digestOf, RegistryError, splitDigest, wrongDigest, wrongSize } from '../../model/index.ts';
import type { Descriptor } from '../../model/index.ts';

/**
 * Gives the content that a descriptor carries itself, verified. Image specification, "Embedded Content".
 *
 * @returns undefined if the descriptor carries none
 * @throws RegistryError SIZE_INVALID, DIGEST_INVALID if it does not match the descriptor; MANIFEST_INVALID if it is
 * not base64
 */
export function inlineData(descriptor: Descriptor): Uint8Array | undefined {
  const { data, digest, size } = descriptor;
  // Some programs write an empty string if there is no data. Only for empty content is it the data.
  if (data === undefined || (data === '' && size > 0)) return undefined;
  const bytes = fromBase64(data, descriptor);
  if (bytes.length !== size) throw wrongSize(descriptor.digest, descriptor.size, bytes.length);
  const found = digestOf(bytes, splitDigest(digest).algorithm);
  if (found !== digest) throw wrongDigest(digest, found);
  return bytes;
}

function fromBase64(text: string, { digest }: Descriptor): Uint8Array {
  // `atob` also accepts text that is not base64, such as white space.
  if (text.length % 4 !== 0 || /[^A-Za-z0-9+/]/.test(text.replace(/={1,2}$/, ''))) {
    throw new RegistryError('MANIFEST_INVALID', `the data in the descriptor of ${digest} is not base64`);
  }
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** Bytes per call, as the number of a function's arguments is limited. */
const bytesPerCall = 0x80_00;

/** Encodes bytes as base64, the form of `Descriptor.data`. RFC 4648, section 4. */
export function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += bytesPerCall) {
    text += String.fromCharCode(...bytes.subarray(at, at + bytesPerCall));
  }
  return btoa(text);
}
