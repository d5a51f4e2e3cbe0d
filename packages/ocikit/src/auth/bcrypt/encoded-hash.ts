// The text of a bcrypt hash, such as `$2y$10$` and 53 characters: its parts, its faults, and hashes that match nothing.

/** A hash in its text form, for `Bcrypt.compare`. */
export interface EncodedHash {
  /** The hash with the prefix `$2b$`, which all implementations know. */
  readonly text: string;
  /** The binary logarithm of the number of rounds. */
  readonly cost: number;
}

/** Bytes. bcrypt ignores all further ones. */
const longestPassword = 72;
/** A check at this cost takes three seconds; each step doubles that. */
const largestCost = 16;
const leastCost = 4;

const alphabet = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/**
 * Reads a hash.
 *
 * @returns a text with the reason, if it is no bcrypt hash that can be checked
 */
export function parseHash(text: string): EncodedHash | string {
  const [, cost = '', salt = '', rest = ''] =
    /^\$2[abxy]\$([0-9]{2})\$([./A-Za-z0-9]{22})([./A-Za-z0-9]{31})$/.exec(text) ?? [];
  if (cost === '') return kindOfHash(text);
  const rounds = Number(cost);
  if (rounds < leastCost || rounds > 31) return `a bcrypt hash with the cost ${cost}, which must be 04 to 31`;
  if (rounds > largestCost) {
    return `a bcrypt hash with the cost ${cost}: each login would take very long, so at most ${largestCost} is allowed`;
  }
  // Six bits a character: the last of the salt has two that count, the last of the hash four.
  if (alphabet.indexOf(rest.charAt(30)) % 4 !== 0) return 'a damaged bcrypt hash';
  const last = alphabet.charAt(alphabet.indexOf(salt.charAt(21)) & 0b110000);
  // The bits that do not count are set by some writers, and refused by some readers.
  return { text: `$2b$${cost}$${salt.slice(0, 21)}${last}${rest}`, cost: rounds };
}

function kindOfHash(text: string): string {
  if (text === '') return 'no hash';
  if (/^\$2[abxy]?\$/.test(text)) return 'an incomplete or damaged bcrypt hash';
  if (text.startsWith('$apr1$') || text.startsWith('$1$')) return 'an MD5 hash';
  if (text.startsWith('{SHA}')) return 'an SHA-1 hash';
  if (text.startsWith('$5$')) return 'an SHA-256 hash';
  if (text.startsWith('$6$')) return 'an SHA-512 hash';
  if (/^\$argon2|^\$scrypt|^\$y\$|^\$7\$/.test(text)) return 'a hash of another kind than bcrypt';
  return 'no bcrypt hash (perhaps the password itself)';
}

/** A hash that no known password has, so that a check against it takes as long as any. */
export function unknownHash(cost: number): string {
  const random = crypto.getRandomValues(new Uint8Array(53));
  const characters = Array.from(random, (byte, i) => {
    const bits = i === 21 ? 0b110000 : i === 52 ? 0b111100 : 0b111111;
    return alphabet.charAt(byte & bits);
  });
  return `$2b$${String(cost).padStart(2, '0')}$${characters.join('')}`;
}

/**
 * The reason why bcrypt cannot take a password; undefined if it can. A NUL would end or repeat the password, so that
 * another password fits the same hash.
 */
export function unfitPassword(password: string): string | undefined {
  if (password === '') return 'the password is empty';
  if (password.includes('\0')) return 'the password contains a NUL character';
  const size = new TextEncoder().encode(password).length;
  if (size <= longestPassword) return undefined;
  return `the password has ${size} bytes, and bcrypt takes at most ${longestPassword}: choose a shorter one`;
}
