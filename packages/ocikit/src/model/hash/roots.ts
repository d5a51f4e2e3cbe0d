// The constants of SHA-256 and SHA-512, computed from prime numbers.

/** The initial state of SHA-512. Its high words are that of SHA-256. FIPS 180-4, section 5.3. */
export const squareRoots: Int32Array = rootsOfPrimes(8, 2n);

/** The round constants of SHA-512. Their high words are those of SHA-256. FIPS 180-4, section 4.2. */
export const cubeRoots: Int32Array = rootsOfPrimes(80, 3n);

/** For each of the first `count` primes: 64 bits of its root's fractional part, as a high and a low word. */
function rootsOfPrimes(count: number, degree: bigint): Int32Array {
  const words = new Int32Array(2 * count);
  const primes: bigint[] = [];
  for (let number = 2n; primes.length < count; number++) {
    if (primes.some((prime) => number % prime === 0n)) continue;
    const root = rootOf(number << (64n * degree), degree);
    words[2 * primes.length] = Number(BigInt.asIntN(32, root >> 32n));
    words[2 * primes.length + 1] = Number(BigInt.asIntN(32, root));
    primes.push(number);
  }
  return words;
}

/** The root, rounded down, by Newton's method. The start value is larger than any of these roots. */
function rootOf(number: bigint, degree: bigint): bigint {
  for (let root = 8n << 64n; ;) {
    const next = ((degree - 1n) * root + number / root ** (degree - 1n)) / degree;
    if (next >= root) return root;
    root = next;
  }
}
