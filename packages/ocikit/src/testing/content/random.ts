// Random names and bytes for tests.
/**
 * Makes a random name of small letters and digits, which is valid as a repository and as a tag.
 *
 * @param length in characters. Default: 12
 */
export function randomName(length: number = 12): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz012345';
  return Array.from(randomBytes(length), (byte) => alphabet.charAt(byte % alphabet.length)).join('');
}

// TypeScript before 5.7 has no `Uint8Array<ArrayBuffer>`: the result is of that type where there is one.
/** Makes random bytes. */
export function randomBytes(size: number): ReturnType<Uint8ArrayConstructor['of']> {
  const bytes = new Uint8Array(size);
  // The most bytes that one call of getRandomValues fills.
  const most = 65_536;
  for (let at = 0; at < size; at += most) crypto.getRandomValues(bytes.subarray(at, at + most));
  return bytes;
}
