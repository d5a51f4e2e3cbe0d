// Text of other tools that is written back byte for byte, also where it is not UTF-8.
import { isUtf8 } from 'node:buffer';

/** A byte that is no part of a character becomes a lone surrogate: U+DC80 for 0x80. No text in UTF-8 has one. */
const escape = 0xdc00;
/** With the flag `u`, a pair of surrogates is one character, so a match is a lone one. */
const escapes = /([\u{dc80}-\u{dcff}])/u;
const firstNotAscii = 0x80;
const longestCharacter = 4;

/** Decodes bytes so that {@link bytesOfKept} gives them back. */
export function textOfBytes(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString();
  let text = '';
  let from = 0;
  for (let at = 0; at < bytes.length;) {
    const length = (bytes[at] ?? 0) < firstNotAscii ? 1 : lengthOfCharacter(bytes, at);
    if (length === 0) {
      text += bytes.toString('utf8', from, at) + String.fromCharCode(escape + (bytes[at] ?? 0));
      from = at + 1;
    }
    at += Math.max(length, 1);
  }
  return text + bytes.toString('utf8', from);
}

/** Bytes of the character at an offset; 0 if there is none. */
function lengthOfCharacter(bytes: Buffer, at: number): number {
  for (let length = 2; length <= longestCharacter; length++) if (isUtf8(bytes.subarray(at, at + length))) return length;
  return 0;
}

/** The bytes of a text that {@link textOfBytes} decoded. */
export function bytesOfKept(text: string): Buffer {
  const parts = text.split(escapes);
  if (parts.length === 1) return Buffer.from(text);
  return Buffer.concat(
    parts.map((part, i) => (i % 2 === 0 ? Buffer.from(part) : Buffer.of(part.charCodeAt(0) - escape))),
  );
}
