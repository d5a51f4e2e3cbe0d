// JSON of strangers: what it may cost is bounded in one pass over the bytes, before it is parsed.

/** Levels of lists and objects inside each other. */
const mostLevels = 32;
/** Values. A manifest of 4 MiB that consists of the shortest descriptors has fewer. */
const mostValues = 150_000;
/** Different keys of objects: a new key takes much longer to parse than one that was there before. */
const mostKeys = 10_000;
/** Bytes below which there cannot be too many keys. */
const tooFewBytes = mostKeys * 5;

/**
 * Parses JSON in UTF-8 whose author is not trusted. 4 MiB of JSON can take seconds and hundreds of megabytes, so JSON
 * with more than 32 levels, 150,000 values or 10,000 different keys is refused before it is parsed.
 *
 * @example parseJson(await readFile('manifest.json'))
 * @throws RangeError if a bound is exceeded, SyntaxError or TypeError if it is not JSON in UTF-8
 */
export function parseJson(bytes: Uint8Array): unknown {
  assertJsonBounds(bytes);
  return JSON.parse(decodeJson(bytes));
}

/** Decodes UTF-8. A byte order mark stays, as it does not belong in JSON. */
export function decodeJson(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Checks the bounds of JSON. Other bytes pass or fail: the parser refuses them.
 *
 * @throws RangeError
 */
export function assertJsonBounds(bytes: Uint8Array): void {
  const keys = bytes.length < tooFewBytes ? undefined : new KeyCounter(bytes);
  const { length } = bytes;
  let levels = 0;
  let values = 1;
  let start = 0;
  let end = 0;
  for (let at = 0; at < length; at++) {
    // The bytes of longer UTF-8 characters are none of these.
    switch (bytes[at] ?? 0) {
      case 0x22: // "
        start = at + 1;
        for (at = start; at < length && bytes[at] !== 0x22; at++) if (bytes[at] === 0x5c) at++;
        end = at;
        break;
      case 0x3a: // :
        keys?.add(start, end);
        break;
      case 0x5b: // [
      case 0x7b: // {
        if (++levels > mostLevels) throw new RangeError(`nests deeper than ${mostLevels} levels`);
        values++;
        break;
      case 0x5d: // ]
      case 0x7d: // }
        levels--;
        break;
      case 0x2c: // ,
        values++;
        break;
      default:
    }
    if (values > mostValues) throw new RangeError(`has more than ${mostValues} values`);
  }
}

/** A power of two above {@link mostKeys}, so that searches in the table stay short. */
const tableSize = 32_768;
/** Counts different keys by their hashes. */
class KeyCounter {
  readonly #bytes: Uint8Array;
  readonly #hashes = new Uint32Array(tableSize);
  /** Random, so that a client cannot choose keys that look like one key. Workers allow no random module state. */
  readonly #seed: number = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  #count = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  add(start: number, end: number): void {
    // 0 marks a free place.
    const hash = this.#hash(start, end) || 1;
    let at = hash % tableSize;
    for (let found = this.#hashes[at]; found !== 0; found = this.#hashes[at]) {
      if (found === hash) return;
      at = (at + 1) % tableSize;
    }
    this.#hashes[at] = hash;
    if (++this.#count > mostKeys) throw new RangeError(`has more than ${mostKeys} different keys`);
  }

  /** FNV-1a, with its last bits mixed. */
  #hash(start: number, end: number): number {
    const bytes = this.#bytes;
    let hash = this.#seed;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
    hash ^= hash >>> 15;
    return Math.imul(hash, 0x2c1b3c6d) >>> 0;
  }
}
