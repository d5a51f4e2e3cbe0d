// Digests: their grammar, and computing them.
import { createHash, hexHash } from '#hash';

import { RegistryError } from './errors.ts';
import type { Hash } from './hash/hash.ts';
import { toHex } from './hash/hex.ts';

export type { Hash } from './hash/hash.ts';

/**
 * The digest of content: `<algorithm>:<encoded>`, for example `sha256:e3b0c442…`. Image specification, "Digests".
 *
 * The type only describes the shape. {@link parseDigest} checks the algorithm and the encoding.
 *
 * @example
 * const digest: Digest = digestOf(new TextEncoder().encode('{}'));
 */
export type Digest = `${string}:${string}`;

/** The grammar of a digest, whatever its algorithm. Image specification, "Digests". */
export const digestPattern: RegExp = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/;

const algorithmPattern = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*$/;

/** A digest algorithm that {@link registerAlgorithm} accepts. */
export interface DigestAlgorithm {
  /** Lower-case letters and digits, joined by single `+`, `.`, `_` or `-`. */
  readonly name: string;
  /** Bytes in a hash; the digest has twice as many lower-case hexadecimal digits. */
  readonly size: number;
  /** Starts a hash. */
  create(): Hash;
}

const algorithms = new Map<string, DigestAlgorithm>([
  ['sha256', { name: 'sha256', size: 32, create: () => createHash('sha256') }],
  ['sha512', { name: 'sha512', size: 64, create: () => createHash('sha512') }],
]);

/** The algorithm that is used unless a caller names another one. */
export const defaultAlgorithm = 'sha256';

/**
 * Adds a digest algorithm for the whole process. `sha256` and `sha512` are there from the start. One hash is computed
 * as a test, so that a broken algorithm fails here.
 *
 * @example
 * registerAlgorithm({ name: 'blake3', size: 32, create: () => createBlake3() });
 * @throws TypeError if the name is taken or malformed, or if the hash does not have `size` bytes
 */
export function registerAlgorithm(algorithm: DigestAlgorithm): void {
  const { name, size } = algorithm;
  if (algorithms.has(name)) throw new TypeError(`digest algorithm ${name} is already registered`);
  if (!algorithmPattern.test(name)) throw new TypeError(`${JSON.stringify(name)} is not a digest algorithm's name`);
  const hash = algorithm.create();
  hash.update(new Uint8Array(1));
  const length = hash.digest().length;
  if (size <= 0 || length !== size) {
    throw new TypeError(`digest algorithm ${name} declares a size of ${size} bytes, but its hash has ${length}`);
  }
  algorithms.set(name, algorithm);
}

/**
 * The names of the algorithms that {@link parseDigest} accepts.
 *
 * @example digestAlgorithms() // ['sha256', 'sha512']
 */
export function digestAlgorithms(): string[] {
  return [...algorithms.keys()];
}

/**
 * The registered algorithm with this name.
 *
 * @example digestAlgorithm('sha256').size // 32
 * @throws RegistryError DIGEST_INVALID if no algorithm has this name
 */
export function digestAlgorithm(name: string): DigestAlgorithm {
  const algorithm = algorithms.get(name);
  if (algorithm === undefined) {
    throw new RegistryError(
      'DIGEST_INVALID',
      `digest algorithm ${quote(name)} is not supported: use ${digestAlgorithms().join(' or ')}`,
    );
  }
  return algorithm;
}

/**
 * Checks that a text is a digest.
 *
 * @example const digest = parseDigest(process.argv[2] ?? '');
 * @param text for example `sha256:` and 64 lower-case hexadecimal digits
 * @throws RegistryError DIGEST_INVALID if the text is malformed, has the wrong length or an unregistered algorithm
 */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  const colon = text.indexOf(':');
  if (colon <= 0 || !digestPattern.test(text)) {
    throw new RegistryError('DIGEST_INVALID', `${quote(text)} is not a digest: expected <algorithm>:<encoded>`);
  }
  const { name, size } = digestAlgorithm(text.slice(0, colon));
  throw new RegistryError(
    'DIGEST_INVALID',
    `${quote(text)} is not a digest: ${name} has ${size * 2} lower-case hexadecimal digits`,
  );
}

const lowerHex = /^[0-9a-f]+$/;

/**
 * True if {@link parseDigest} accepts the text.
 *
 * @example isDigest('sha256:abc') // false
 */
export function isDigest(text: string): text is Digest {
  const colon = text.indexOf(':');
  const size = algorithms.get(text.slice(0, Math.max(colon, 0)))?.size;
  return size !== undefined && text.length === colon + 1 + size * 2 && lowerHex.test(text.slice(colon + 1));
}

const algorithmAtEnd = /[a-z0-9]+(?:[+._-][a-z0-9]+)*$/;
const encodedAtStart = /^[a-zA-Z0-9=_-]+/;
/** Upper bounds, in characters, for the two sides of the colon. */
const longestName = 32;
const longestEncoded = 512;

/**
 * Finds every digest in a text, repeated ones included. Use it for a document of unknown format: it may refer to all of
 * them. The search looks at both sides of each colon, so its time depends only on the length of the text.
 *
 * @example const mentioned = digestsIn(new TextDecoder().decode(bytes));
 */
export function digestsIn(text: string): Digest[] {
  const found: Digest[] = [];
  for (let colon = text.indexOf(':'); colon >= 0; colon = text.indexOf(':', colon + 1)) {
    const [algorithm] = algorithmAtEnd.exec(text.slice(Math.max(colon - longestName, 0), colon)) ?? [];
    if (algorithm === undefined || !algorithms.has(algorithm)) continue;
    const [encoded = ''] = encodedAtStart.exec(text.slice(colon + 1, colon + 1 + longestEncoded)) ?? [];
    const digest = `${algorithm}:${encoded}`;
    if (isDigest(digest)) found.push(digest);
  }
  return found;
}

/**
 * Splits a digest at its colon.
 *
 * @example const { algorithm, encoded } = splitDigest(digest);
 */
export function splitDigest(digest: Digest): { algorithm: string; encoded: string } {
  const colon = digest.indexOf(':');
  return { algorithm: digest.slice(0, colon), encoded: digest.slice(colon + 1) };
}

/**
 * Computes the digest of bytes in memory.
 *
 * @example digestOf(new Uint8Array()) // 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
 * @throws RegistryError DIGEST_INVALID if the algorithm is not registered
 */
export function digestOf(bytes: Uint8Array, algorithm: string = defaultAlgorithm): Digest {
  // One call for the whole hash takes half the time, in runtimes that have it.
  if (algorithm === 'sha256' || algorithm === 'sha512') return `${algorithm}:${hexHash(algorithm, bytes)}`;
  const hash = digestAlgorithm(algorithm).create();
  hash.update(bytes);
  return digestIn(hash, algorithm);
}

function digestIn(hash: Hash, algorithm: string): Digest {
  return `${algorithm}:${toHex(hash.digest())}`;
}

/**
 * Computes digests of content that arrives in pieces, with one or several algorithms in the same pass.
 *
 * @example
 * const digester = new Digester('sha256', 'sha512');
 * for await (const piece of pieces) digester.update(piece);
 * const [sha256, sha512] = digester.digests();
 */
export class Digester {
  readonly #hashes: { name: string; hash: Hash }[];
  #size = 0;

  /**
   * @param names the algorithms. Default: `sha256`
   * @throws RegistryError DIGEST_INVALID if an algorithm is not registered or is named twice
   */
  constructor(...names: string[]) {
    if (names.length === 0) names = [defaultAlgorithm];
    if (new Set(names).size !== names.length) {
      throw new RegistryError('DIGEST_INVALID', `a digest algorithm is named twice: ${names.join(', ')}`);
    }
    this.#hashes = names.map((name) => ({ name, hash: digestAlgorithm(name).create() }));
  }

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  /** Adds the next bytes. */
  update(bytes: Uint8Array): void {
    for (const { hash } of this.#hashes) hash.update(bytes);
    this.#size += bytes.length;
  }

  /**
   * The digest of all bytes so far. `update` may be called again afterwards.
   *
   * @param algorithm one of those given to the constructor. Default: the first of them
   * @throws RegistryError DIGEST_INVALID if the constructor was not given this algorithm
   */
  digest(algorithm?: string): Digest {
    const found = algorithm === undefined ? this.#hashes[0] : this.#hashes.find(({ name }) => name === algorithm);
    if (found === undefined) {
      throw new RegistryError(
        'DIGEST_INVALID',
        `no ${algorithm} digest is computed here: name the algorithm when the Digester is created`,
      );
    }
    return digestIn(found.hash, found.name);
  }

  /** The digests of all bytes so far, in the order of the constructor's arguments. */
  digests(): Digest[] {
    return this.#hashes.map(({ name }) => this.digest(name));
  }
}

/** Quotes a text from outside for an error message, shortened if it is long. */
function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
