import { randomFillSync } from 'node:crypto';

const pool = Buffer.allocUnsafe(4096);
let used = pool.length;

/** Fetched many at a time: each time takes longer than all else that a small push does with them. */
export function pooledRandomBytes(count: number): Buffer {
  if (used + count > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const taken = Buffer.from(pool.subarray(used, used + count));
  // Nobody can find them here later.
  pool.fill(0, used, used + count);
  used += count;
  return taken;
}
