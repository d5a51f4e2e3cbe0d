// SHA-256 in JavaScript.
import type { BlockAlgorithm } from './block-hash.ts';
import { cubeRoots, squareRoots } from './roots.ts';

const words = new Int32Array(64);

/** SHA-256. FIPS 180-4, section 6.2. */
export const sha256: BlockAlgorithm = {
  blockSize: 64,
  initial: squareRoots.filter((_, i) => i % 2 === 0),
  compress(state, bytes, at) {
    schedule(bytes, at);
    // Not an array pattern: its iterator would take longer than the rounds.
    let { 0: a = 0, 1: b = 0, 2: c = 0, 3: d = 0, 4: e = 0, 5: f = 0, 6: g = 0, 7: h = 0 } = state;
    for (let t = 0; t < 64; t++) {
      const first =
        (h +
          (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) +
          ((e & f) ^ (~e & g)) +
          (cubeRoots[2 * t] ?? 0) +
          (words[t] ?? 0)) |
        0;
      const second = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + first) | 0;
      d = c;
      c = b;
      b = a;
      a = (first + second) | 0;
    }
    const found = [a, b, c, d, e, f, g, h];
    for (let i = 0; i < 8; i++) state[i] = (state[i] ?? 0) + (found[i] ?? 0);
  },
};

/** Fills `words` with the message schedule of a block. */
function schedule(bytes: DataView, at: number): void {
  for (let t = 0; t < 16; t++) words[t] = bytes.getInt32(at + 4 * t);
  for (let t = 16; t < 64; t++) {
    const x = words[t - 15] ?? 0;
    const y = words[t - 2] ?? 0;
    words[t] =
      (turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)) +
      (turn(y, 17) ^ turn(y, 19) ^ (y >>> 10)) +
      (words[t - 7] ?? 0) +
      (words[t - 16] ?? 0);
  }
}

/** Rotates a word to the right. */
function turn(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}
