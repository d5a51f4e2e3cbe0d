// Random bytes for names and ids, fetched from the system in batches.
import { randomFillSync } from 'node:crypto';

const pool = Buffer.allocUnsafe(4096);
let used = pool.length;

/** Random bytes from a pool. One call to the system costs more than all other work for a small push. */
export function pooledRandomBytes(count: number): Buffer {
  if (used + count > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const taken = Buffer.from(pool.subarray(used, used + count));
  // Bytes that were handed out must not stay in the pool: some of them are keys.
  pool.fill(0, used, used + count);
  used += count;
  return taken;
}
