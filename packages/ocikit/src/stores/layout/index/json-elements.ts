// Finding the text of each element in a JSON document, so that it can be written back byte for byte.

import { textOfBytes } from './kept-bytes.ts';

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const closingBracket = 0x5d;
const closingBrace = 0x7d;
const openingBracket = 0x5b;
const openingBrace = 0x7b;

/** A field of a JSON object. */
export interface FieldText {
  /** Its name. */
  name: string;
  /** Its name and its value, as their writer formatted them. */
  text: string;
}

/**
 * The texts of the elements of an array in a JSON object, and those of the other fields. If the object has the array
 * twice, the last one counts, as it does for `JSON.parse`.
 *
 * @param bytes a valid JSON object
 */
export function textsOf(bytes: Buffer, array: string): { elements: string[]; fields: FieldText[] } {
  const fields: FieldText[] = [];
  let elements: string[] = [];
  let at = skipSpace(bytes, skipSpace(bytes, 0) + 1);
  while (at < bytes.length && bytes[at] !== closingBrace) {
    const keyEnd = endOfValue(bytes, at);
    const name = JSON.parse(textOfBytes(bytes.subarray(at, keyEnd))) as string;
    const start = skipSpace(bytes, skipSpace(bytes, keyEnd) + 1);
    const end = endOfValue(bytes, start);
    if (name !== array) {
      fields.push({ name, text: textOfBytes(bytes.subarray(at, end)) });
    } else {
      elements = bytes[start] === openingBracket ? textsIn(bytes, start) : [];
    }
    at = skipSpace(bytes, end);
    if (bytes[at] === comma) at = skipSpace(bytes, at + 1);
  }
  return { elements, fields };
}

function textsIn(bytes: Buffer, arrayStart: number): string[] {
  const texts: string[] = [];
  let at = skipSpace(bytes, arrayStart + 1);
  while (at < bytes.length && bytes[at] !== closingBracket) {
    const end = endOfValue(bytes, at);
    texts.push(textOfBytes(bytes.subarray(at, end)));
    at = skipSpace(bytes, end);
    if (bytes[at] === comma) at = skipSpace(bytes, at + 1);
  }
  return texts;
}

/**
 * The offset after the JSON value that starts at `at`. In text that is not JSON it may be anywhere, but not before
 * `at`.
 */
export function endOfValue(bytes: Buffer, at: number): number {
  let depth = 0;
  for (let i = at; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === quote) {
      i = endOfString(bytes, i);
      if (depth === 0) return i + 1;
    } else if (byte === openingBrace || byte === openingBracket) {
      depth++;
    } else if (byte === closingBrace || byte === closingBracket) {
      // The end of what contains a number or a word.
      if (depth === 0) return i;
      depth--;
      if (depth === 0) return i + 1;
    } else if (depth === 0 && (byte === comma || isSpace(byte))) {
      return i;
    }
  }
  return bytes.length;
}

/** The offset of the closing quote. */
function endOfString(bytes: Buffer, start: number): number {
  for (let i = start + 1; i < bytes.length; i++) {
    if (bytes[i] === backslash) i++;
    else if (bytes[i] === quote) return i;
  }
  return bytes.length;
}

function skipSpace(bytes: Buffer, from: number): number {
  let at = from;
  while (isSpace(bytes[at])) at++;
  return at;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
