// The end of each file of tests: the next file in the same process finds the clock, spies and environment as they were.
import { afterAll, vi } from 'vitest';

const { clearImmediate, clearInterval, clearTimeout, Date, setImmediate, setInterval, setTimeout } = globalThis;

afterAll(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
  // A spy on a timer of a stopped clock puts that one back.
  Object.assign(globalThis, {
    clearImmediate,
    clearInterval,
    clearTimeout,
    Date,
    setImmediate,
    setInterval,
    setTimeout,
  });
});
