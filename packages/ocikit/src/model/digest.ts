import { createHash, hexHash } from '#hash';

import { RegistryError } from './errors.ts';
import type { Hash } from './hash/hash.ts';
import { toHex } from './hash/hex.ts';

export type { Hash } from './hash/hash.ts';

/**
 * `<algorithm>:<encoded>`, for example `sha256:e3b0c442…`. The type says the shape only:
 * {@link parseDigest} makes sure of the algorithm and of the encoding.
 *
 * Image specification, "Digests".
 */
export type Digest = `${string}:${string}`;

/** The grammar of a digest of any algorithm. */
export const digestPattern: RegExp = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/;

const algorithmPattern = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*$/;

export interface DigestAlgorithm {
  /** Lower-case letters and digits, joined by single `+`, `.`, `_` or `-`. */
  readonly name: string;
  /** Bytes in a hash; the digest has twice as many lower-case hexadecimal digits. */
  readonly size: number;
  create(): Hash;
}

const algorithms = new Map<string, DigestAlgorithm>([
  ['sha256', { name: 'sha256', size: 32, create: () => createHash('sha256') }],
  ['sha512', { name: 'sha512', size: 64, create: () => createHash('sha512') }],
]);

/** The algorithm that is used wherever none is named. */
export const defaultAlgorithm = 'sha256';

/**
 * Makes a further algorithm known to the whole process. It is tried once, so that a broken one fails here.
 *
 * @throws TypeError if the name is taken or malformed, or if the hash has another size than it says
 */
export function registerAlgorithm(algorithm: DigestAlgorithm): void {
  const { name, size } = algorithm;
  if (algorithms.has(name)) throw new TypeError(`digest algorithm ${name} is already registered`);
  if (!algorithmPattern.test(name)) throw new TypeError(`${JSON.stringify(name)} is not a digest algorithm's name`);
  const hash = algorithm.create();
  hash.update(new Uint8Array(1));
  const length = hash.digest().length;
  if (size <= 0 || length !== size) {
    throw new TypeError(`digest algorithm ${name} says ${size} bytes and gave ${length}`);
  }
  algorithms.set(name, algorithm);
}

/** The names of the algorithms that {@link parseDigest} accepts. */
export function digestAlgorithms(): string[] {
  return [...algorithms.keys()];
}

/** @throws RegistryError DIGEST_INVALID if no such algorithm is registered */
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
 * @param text for example `sha256:` and 64 lower-case hexadecimal digits
 * @throws RegistryError DIGEST_INVALID if it is malformed, has the wrong length or an algorithm that is not registered
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

/** True if {@link parseDigest} accepts it. */
export function isDigest(text: string): text is Digest {
  const colon = text.indexOf(':');
  const size = algorithms.get(text.slice(0, Math.max(colon, 0)))?.size;
  return size !== undefined && text.length === colon + 1 + size * 2 && lowerHex.test(text.slice(colon + 1));
}

const algorithmAtEnd = /[a-z0-9]+(?:[+._-][a-z0-9]+)*$/;
const encodedAtStart = /^[a-zA-Z0-9=_-]+/;
/** Characters; no algorithm has a longer name, and none gives a longer digest. */
const longestName = 32;
const longestEncoded = 512;

/**
 * Everything in a text that is a digest, also more than once: what a document of an unknown kind may name. Looks left and
 * right of each colon, so that no text takes longer than another one of its length.
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

/** The two sides of the colon. */
export function splitDigest(digest: Digest): { algorithm: string; encoded: string } {
  const colon = digest.indexOf(':');
  return { algorithm: digest.slice(0, colon), encoded: digest.slice(colon + 1) };
}

/** The digest of bytes that are at hand. */
export function digestOf(bytes: Uint8Array, algorithm: string = defaultAlgorithm): Digest {
  // At once, where the runtime can do that, it takes half as long.
  if (algorithm === 'sha256' || algorithm === 'sha512') return `${algorithm}:${hexHash(algorithm, bytes)}`;
  const hash = digestAlgorithm(algorithm).create();
  hash.update(bytes);
  return digestIn(hash, algorithm);
}

function digestIn(hash: Hash, algorithm: string): Digest {
  return `${algorithm}:${toHex(hash.digest())}`;
}

/** Computes the digests of one content, for one algorithm or for several in the same pass. */
export class Digester {
  readonly #hashes: { name: string; hash: Hash }[];
  #size = 0;

  /**
   * @param names `sha256` if there are none
   * @throws RegistryError DIGEST_INVALID for an algorithm that is not registered or is named twice
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

  update(bytes: Uint8Array): void {
    for (const { hash } of this.#hashes) hash.update(bytes);
    this.#size += bytes.length;
  }

  /**
   * The digest of all bytes so far; more may follow.
   *
   * @param algorithm the first one that was named, if it is left out
   */
  digest(algorithm?: string): Digest {
    const found = algorithm === undefined ? this.#hashes[0] : this.#hashes.find(({ name }) => name === algorithm);
    if (found === undefined) {
      throw new RegistryError('DIGEST_INVALID', `no ${algorithm} was asked for when the content was read`);
    }
    return digestIn(found.hash, found.name);
  }

  /** The digests of all bytes so far, in the order in which the algorithms were named. */
  digests(): Digest[] {
    return this.#hashes.map(({ name }) => this.digest(name));
  }
}

/**
 * Hands content on as it is read and compares it with what it ought to be: too much fails at once, too little or other
 * bytes at the end. Whoever reads it to the end without an error has read the right content.
 */
export class VerifyingReader implements AsyncIterable<Uint8Array> {
  readonly #source: AsyncIterable<Uint8Array>;
  readonly #expected: { digest: Digest; size?: number | undefined };
  readonly #algorithm: DigestAlgorithm;
  #size = 0;
  #verified = false;

  /**
   * @param expected the size is not compared if it is left out
   * @throws RegistryError DIGEST_INVALID for a malformed digest
   */
  constructor(source: AsyncIterable<Uint8Array>, expected: { digest: Digest; size?: number | undefined }) {
    this.#source = source;
    this.#expected = expected;
    this.#algorithm = digestAlgorithm(splitDigest(parseDigest(expected.digest)).algorithm);
  }

  /** True once the end was reached and everything matched. */
  get verified(): boolean {
    return this.#verified;
  }

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  /** Iterating rejects with SIZE_INVALID or DIGEST_INVALID. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    const { digest, size = Number.NaN } = this.#expected;
    const hash = this.#algorithm.create();
    for await (const chunk of this.#source) {
      hash.update(chunk);
      this.#size += chunk.length;
      if (this.#size > size) throw wrongSize(digest, size, this.#size);
      yield chunk;
    }
    if (this.#size < size) throw wrongSize(digest, size, this.#size);
    const found = digestIn(hash, this.#algorithm.name);
    if (found !== digest) throw wrongDigest(digest, found);
    this.#verified = true;
  }
}

/** Content is `found` where `expected` was announced. */
export function wrongDigest(expected: Digest, found: Digest): RegistryError {
  return new RegistryError('DIGEST_INVALID', `the content's digest is ${found}, not ${expected}`, {
    detail: { expected, found },
  });
}

/** Content has `found` bytes, or more than that, where `expected` were announced. */
export function wrongSize(digest: Digest, expected: number, found: number): RegistryError {
  const more = found > expected ? 'more than that' : `${found}`;
  return new RegistryError('SIZE_INVALID', `${digest} was announced with ${expected} bytes, ${more} came`, {
    detail: { expected, found },
  });
}

/** Quotes what somebody sent, so that it fits into a message. */
function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
