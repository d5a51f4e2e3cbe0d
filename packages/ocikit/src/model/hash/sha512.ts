// SHA-512 in JavaScript, on pairs of 32-bit words.
import type { BlockAlgorithm } from './block-hash.ts';
import { cubeRoots, squareRoots } from './roots.ts';

const words = new Int32Array(160);

/** SHA-512. FIPS 180-4, section 6.4. Each 64-bit word is a pair of halves, high and low: `ah` and `al`. */
export const sha512: BlockAlgorithm = {
  blockSize: 128,
  initial: squareRoots,
  compress(state, bytes, at) {
    schedule(bytes, at);
    let { 0: ah = 0, 1: al = 0, 2: bh = 0, 3: bl = 0, 4: ch = 0, 5: cl = 0, 6: dh = 0, 7: dl = 0 } = state;
    let { 8: eh = 0, 9: el = 0, 10: fh = 0, 11: fl = 0, 12: gh = 0, 13: gl = 0, 14: hh = 0, 15: hl = 0 } = state;
    for (let t = 0; t < 160; t += 2) {
      const first =
        (hl >>> 0) +
        (sum1(el, eh) >>> 0) +
        (choose(el, fl, gl) >>> 0) +
        ((cubeRoots[t + 1] ?? 0) >>> 0) +
        ((words[t + 1] ?? 0) >>> 0);
      const firstHigh =
        (hh + sum1(eh, el) + choose(eh, fh, gh) + (cubeRoots[t] ?? 0) + (words[t] ?? 0) + carry(first)) | 0;
      const second = (first >>> 0) + (sum0(al, ah) >>> 0) + (majority(al, bl, cl) >>> 0);
      const secondHigh = (firstHigh + sum0(ah, al) + majority(ah, bh, ch) + carry(second)) | 0;
      const third = (first >>> 0) + (dl >>> 0);
      hh = gh;
      hl = gl;
      gh = fh;
      gl = fl;
      fh = eh;
      fl = el;
      eh = (firstHigh + dh + carry(third)) | 0;
      el = third | 0;
      dh = ch;
      dl = cl;
      ch = bh;
      cl = bl;
      bh = ah;
      bl = al;
      ah = secondHigh;
      al = second | 0;
    }
    const found = [ah, al, bh, bl, ch, cl, dh, dl, eh, el, fh, fl, gh, gl, hh, hl];
    for (let i = 0; i < 16; i += 2) {
      const low = ((state[i + 1] ?? 0) >>> 0) + ((found[i + 1] ?? 0) >>> 0);
      state[i] = (state[i] ?? 0) + (found[i] ?? 0) + carry(low);
      state[i + 1] = low;
    }
  },
};

/** Fills `words` with the message schedule of a block. */
function schedule(bytes: DataView, at: number): void {
  for (let t = 0; t < 32; t++) words[t] = bytes.getInt32(at + 4 * t);
  for (let t = 32; t < 160; t += 2) {
    const xh = words[t - 30] ?? 0;
    const xl = words[t - 29] ?? 0;
    const yh = words[t - 4] ?? 0;
    const yl = words[t - 3] ?? 0;
    const low =
      ((turn(xl, 1, xh) ^ turn(xl, 8, xh) ^ turn(xl, 7, xh)) >>> 0) +
      ((turn(yl, 19, yh) ^ turn(yh, 29, yl) ^ turn(yl, 6, yh)) >>> 0) +
      ((words[t - 13] ?? 0) >>> 0) +
      ((words[t - 31] ?? 0) >>> 0);
    words[t] =
      (turn(xh, 1, xl) ^ turn(xh, 8, xl) ^ (xh >>> 7)) +
      (turn(yh, 19, yl) ^ turn(yl, 29, yh) ^ (yh >>> 6)) +
      (words[t - 14] ?? 0) +
      (words[t - 32] ?? 0) +
      carry(low);
    words[t + 1] = low;
  }
}

/**
 * Rotates a pair to the right and returns one half of it. `other` is the half whose bits move in. To rotate by 32 bits
 * more, swap the halves.
 */
function turn(half: number, by: number, other: number): number {
  return (half >>> by) | (other << (32 - by));
}

// The functions of section 4.1.3, each for one half of a pair.
function sum0(half: number, other: number): number {
  return turn(half, 28, other) ^ turn(other, 2, half) ^ turn(other, 7, half);
}

function sum1(half: number, other: number): number {
  return turn(half, 14, other) ^ turn(half, 18, other) ^ turn(other, 9, half);
}

function choose(x: number, y: number, z: number): number {
  return (x & y) ^ (~x & z);
}

function majority(x: number, y: number, z: number): number {
  return (x & y) ^ (x & z) ^ (y & z);
}

/** The part of a sum of low halves that belongs to the high half. */
function carry(sum: number): number {
  return (sum / 2 ** 32) | 0;
}
