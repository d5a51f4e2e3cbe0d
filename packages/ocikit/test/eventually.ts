// Waiting in a test for what happens soon, on a machine of any speed.
import { vi } from 'vitest';

/** Waits until a check no longer throws. Its bound is far beyond what a busy machine takes. */
export async function eventually(check: () => unknown): Promise<void> {
  await vi.waitFor(check, { timeout: 30_000, interval: 10 });
}
