// Upload ids that cannot be guessed, and base64 for URLs.
import { hmacSha256 } from '#hash';

/**
 * Issues upload ids that cannot be guessed and that are valid for one repository, without storing them. An id consists
 * of random bytes and the time, with a MAC over both and the repository. It is safe in a URL and in a file name.
 */
export interface UploadIdIssuer {
  /**
   * Makes a new id.
   *
   * @param label a text that the id contains and that is protected by the MAC: lower-case letters, digits, `+ . _ -`
   */
  issue(repository: string, label: string): string;
  /** Reads an id; undefined if it was not issued with this key for this repository. */
  check(repository: string, id: string): IssuedId | undefined;
}

/** The contents of an upload id. */
export interface IssuedId {
  /** The time of issue, in milliseconds since 1970. */
  at: number;
  /** The label that the id was issued with. */
  label: string;
  /** True if this object issued the id recently. */
  isFresh: boolean;
}

const randomLength = 12;
const timeLength = 6;
const macLength = 14;
const mostKnown = 2048;
const idPattern = /^([A-Za-z0-9_-]{43})\.([a-z0-9+._-]+)$/;

/** A supply of random bytes, fetched 4096 at a time: a fetch takes as long as making an id. */
class RandomBytes {
  readonly #bytes = new Uint8Array(4096);
  #used = this.#bytes.length;

  /** Moves random bytes to the start of `target`. */
  take(target: Uint8Array, count: number): void {
    if (this.#used + count > this.#bytes.length) {
      crypto.getRandomValues(this.#bytes);
      this.#used = 0;
    }
    for (let i = 0; i < count; i++, this.#used++) {
      target[i] = this.#bytes[this.#used] ?? 0;
      // The bytes must not stay in memory: they are secret until the id is handed out.
      this.#bytes[this.#used] = 0;
    }
  }
}

/**
 * Creates an {@link UploadIdIssuer}.
 *
 * @example
 * const ids = createUploadIdIssuer(key);
 * const id = ids.issue('team/app', 'sha256');
 * ids.check('team/app', id)?.label; // 'sha256'
 * @param key 32 random bytes. An id is valid for issuers with the same key. Default: a new key
 */
export function createUploadIdIssuer(key: Uint8Array = crypto.getRandomValues(new Uint8Array(32))): UploadIdIssuer {
  const text = new TextEncoder();
  // The first two parts contain no colon, so no character can move between parts without changing the MAC.
  const macOf = (head: string, label: string, repository: string): Uint8Array =>
    hmacSha256(key, text.encode(`${head}:${label}:${repository}`)).subarray(0, macLength);
  const random = new RandomBytes();
  /** The latest ids, because each one is checked several times and a MAC is expensive. */
  let known = new Map<string, IssuedId>();
  /** The ids before those. Two maps, because a map with many deleted entries at its start is slow to iterate. */
  let knownBefore = new Map<string, IssuedId>();
  const remember = (repository: string, id: string, issued: IssuedId): IssuedId => {
    known.set(`${repository}:${id}`, issued);
    if (known.size < mostKnown) return issued;
    knownBefore = known;
    known = new Map();
    return issued;
  };
  return {
    issue(repository, label) {
      const bytes = new Uint8Array(randomLength + timeLength);
      const now = Date.now();
      random.take(bytes, randomLength);
      for (let i = bytes.length - 1, rest = now; i >= randomLength; i--, rest = Math.floor(rest / 256)) bytes[i] = rest;
      const head = toBase64Url(bytes);
      // Base64 takes three bytes at a time, so the texts of the two parts are the text of the whole.
      const issued = `${head}${toBase64Url(macOf(head, label, repository))}.${label}`;
      remember(repository, issued, { at: now, label, isFresh: true });
      return issued;
    },
    check(repository, id) {
      const name = `${repository}:${id}`;
      const found = known.get(name) ?? knownBefore.get(name);
      if (found !== undefined) return found;
      const [, token = '', label = ''] = idPattern.exec(id) ?? [];
      const bytes = fromBase64Url(token);
      if (bytes?.length !== randomLength + timeLength + macLength || toBase64Url(bytes) !== token) return undefined;
      const head = bytes.subarray(0, randomLength + timeLength);
      if (!equal(macOf(toBase64Url(head), label, repository), bytes.subarray(head.length))) return undefined;
      const view = new DataView(bytes.buffer);
      const at = view.getUint32(randomLength) * 0x1_0000 + view.getUint16(randomLength + 4);
      return remember(repository, id, { at, label, isFresh: false });
    },
  };
}

/** Compares in constant time, so that the time does not reveal where the two differ. */
function equal(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (const [i, byte] of a.entries()) difference |= byte ^ (b[i] ?? 0);
  return difference === 0;
}

const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
/** Two digits for each 12 bits. */
const pairs: readonly string[] = Array.from(digits, (first) => Array.from(digits, (second) => first + second)).flat();

/**
 * Encodes bytes as base64 for URLs, without padding. RFC 4648, section 5.
 *
 * @example toBase64Url(new Uint8Array([251, 255])) // '-_8'
 */
export function toBase64Url(bytes: Uint8Array): string {
  const whole = bytes.length - (bytes.length % 3);
  let text = '';
  for (let i = 0; i < whole; i += 3) {
    const bits = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    text += `${pairs[bits >> 12]}${pairs[bits & 0xfff]}`;
  }
  if (whole === bytes.length) return text;
  const bits = ((bytes[whole] ?? 0) << 16) | ((bytes[whole + 1] ?? 0) << 8);
  // One byte has two digits, two bytes have three.
  return text + (pairs[bits >> 12] ?? '') + (bytes.length - whole === 2 ? digits.charAt((bits >> 6) & 63) : '');
}

// TypeScript before 5.7 has no `Uint8Array<ArrayBuffer>`: the result is of that type where there is one.
/** Decodes base64 for URLs; undefined if the text is not base64. The inverse of {@link toBase64Url}. */
export function fromBase64Url(text: string): ReturnType<Uint8ArrayConstructor['of']> | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return undefined;
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}
