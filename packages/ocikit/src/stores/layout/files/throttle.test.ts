import { describe, expect, test } from 'vitest';

import { Throttle } from './throttle.ts';

/** Milliseconds for ten pieces, each of them 3 ms of work, while clients push. */
async function milliseconds(throttle: Throttle, count = 10): Promise<number> {
  const begun = performance.now();
  for await (const piece of throttle.withPauses(Array.from({ length: count }, (_, i) => i))) {
    const until = performance.now() + 3;
    while (performance.now() < until) throttle.notePush();
    expect(piece).toBeLessThan(count);
  }
  return performance.now() - begun;
}

describe('work that can wait', () => {
  test('rests between its pieces during pushes', async () => {
    // Nine times 20 ms.
    expect(await milliseconds(new Throttle())).toBeGreaterThan(170);
  });

  test('does not rest while a caller waits for it', async () => {
    const throttle = new Throttle();
    expect(await throttle.atFullSpeed(() => milliseconds(throttle))).toBeLessThan(150);
    await expect(throttle.atFullSpeed(() => Promise.reject(new Error('it fails')))).rejects.toThrow('it fails');
    expect(await milliseconds(throttle)).toBeGreaterThan(170);
  });

  test('does not rest after the last piece: it may be the only one', async () => {
    const throttle = new Throttle();
    const begun = performance.now();
    for (let i = 0; i < 10; i++) await milliseconds(throttle, 1);
    expect(performance.now() - begun).toBeLessThan(150);
  });

  test('does not rest when the last push was a while ago', async () => {
    const throttle = new Throttle();
    throttle.notePush();
    await new Promise((resolve) => setTimeout(resolve, 60));
    const begun = performance.now();
    for (let i = 0; i < 20; i++) await throttle.pause(20);
    expect(performance.now() - begun).toBeLessThan(200);
  });
});
