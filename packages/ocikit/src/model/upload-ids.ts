import { hmacSha256 } from '#hash';

/**
 * Upload ids that cannot be guessed and that belong to one repository, without anything being kept for them: random
 * bytes and the time, with a MAC over both and the repository. They are safe in a URL and in a file's name.
 */
export interface UploadIds {
  /** @param label lower-case letters, digits, `+ . _ -`: travels in the id and cannot be changed there */
  issue(repository: string, label: string): string;
  /** Undefined if the id was not issued with this key for this repository. */
  check(repository: string, id: string): IssuedId | undefined;
}

export interface IssuedId {
  /** When, in milliseconds of the epoch. */
  at: number;
  label: string;
  /** True if it was issued lately, by this very object. */
  isFresh: boolean;
}

const randomLength = 12;
const timeLength = 6;
const macLength = 14;
const mostKnown = 2048;
const idPattern = /^([A-Za-z0-9_-]{43})\.([a-z0-9+._-]+)$/;

/** Random bytes that are fetched together: each time costs as much as an id. */
class RandomBytes {
  readonly #bytes = new Uint8Array(4096);
  #used = this.#bytes.length;

  take(count: number): Uint8Array {
    if (this.#used + count > this.#bytes.length) {
      crypto.getRandomValues(this.#bytes);
      this.#used = 0;
    }
    const taken = this.#bytes.slice(this.#used, this.#used + count);
    // Nobody can find them here later.
    this.#bytes.fill(0, this.#used, this.#used + count);
    this.#used += count;
    return taken;
  }
}

/** @param key 32 random bytes; ids are good as long as it stays the same. Made here if it is left out. */
export function createUploadIds(key: Uint8Array = crypto.getRandomValues(new Uint8Array(32))): UploadIds {
  const text = new TextEncoder();
  // A colon is in neither of the first two, so nothing can move from one part to another and keep the MAC.
  const macOf = (head: Uint8Array, label: string, repository: string): Uint8Array =>
    hmacSha256(key, text.encode(`${toBase64Url(head)}:${label}:${repository}`)).subarray(0, macLength);
  const random = new RandomBytes();
  /** Ids that were seen lately: each is asked for a few times on its way, and computing a MAC takes its time. */
  let known = new Map<string, IssuedId>();
  /** Those before them. A map from which the oldest one is deleted each time would pass by all that have been deleted before it. */
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
      const id = new Uint8Array(randomLength + timeLength + macLength);
      const head = id.subarray(0, randomLength + timeLength);
      const now = Date.now();
      id.set(random.take(randomLength));
      const view = new DataView(id.buffer);
      view.setUint32(randomLength, Math.floor(now / 0x1_0000));
      view.setUint16(randomLength + 4, now % 0x1_0000);
      id.set(macOf(head, label, repository), head.length);
      const issued = `${toBase64Url(id)}.${label}`;
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
      if (!equal(macOf(head, label, repository), bytes.subarray(head.length))) return undefined;
      const view = new DataView(bytes.buffer);
      const at = view.getUint32(randomLength) * 0x1_0000 + view.getUint16(randomLength + 4);
      return remember(repository, id, { at, label, isFresh: false });
    },
  };
}

/** Takes the same time wherever they differ. */
function equal(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (const [i, byte] of a.entries()) difference |= byte ^ (b[i] ?? 0);
  return difference === 0;
}

const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Bytes as text that is safe in a URL, without padding. RFC 4648, section 5. */
export function toBase64Url(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let count = 0;
  for (const byte of bytes) {
    // Never more than six bits are left, so that it stays a small number.
    bits = ((bits << 8) | byte) & 0x3fff;
    for (count += 8; count >= 6; count -= 6) text += digits.charAt((bits >> (count - 6)) & 63);
  }
  return count === 0 ? text : text + digits.charAt((bits << (6 - count)) & 63);
}

/** The inverse of {@link toBase64Url}; undefined if it is not such a text. */
export function fromBase64Url(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return undefined;
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}
