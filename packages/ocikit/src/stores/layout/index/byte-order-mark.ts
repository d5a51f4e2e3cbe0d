// The byte order mark that some editors write at the start of a file. JSON does not allow it.

const mark = Buffer.from([0xef, 0xbb, 0xbf]);

/** The bytes without a byte order mark. */
export function withoutByteOrderMark(bytes: Buffer): Buffer {
  return bytes.subarray(0, mark.length).equals(mark) ? bytes.subarray(mark.length) : bytes;
}
