/** What SHA-512 begins with, and SHA-256 with the first halves of it. FIPS 180-4, section 5.3. */
export const squareRoots: Int32Array = rootsOfPrimes(8, 2n);

/** The constants of the rounds of SHA-512, and their first halves those of SHA-256. FIPS 180-4, section 4.2. */
export const cubeRoots: Int32Array = rootsOfPrimes(80, 3n);

/** Of the first primes: the first 64 bits of the roots' fractional parts, each as two words. */
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

/** Newton's method, from above: none of these roots is as large. */
function rootOf(number: bigint, degree: bigint): bigint {
  for (let root = 8n << 64n; ;) {
    const next = ((degree - 1n) * root + number / root ** (degree - 1n)) / degree;
    if (next >= root) return root;
    root = next;
  }
}
