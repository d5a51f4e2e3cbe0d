import { describe, expect, test } from 'vitest';

import { Pace } from './pace.ts';

/** What it takes to go through ten pieces, each of them 3 ms of work, while somebody pushes. */
async function milliseconds(pace: Pace, count = 10): Promise<number> {
  const begun = performance.now();
  for await (const piece of pace.slowly(Array.from({ length: count }, (_, i) => i))) {
    const until = performance.now() + 3;
    while (performance.now() < until) pace.notePush();
    expect(piece).toBeLessThan(count);
  }
  return performance.now() - begun;
}

describe('work that can wait', () => {
  test('rests between its pieces as long as somebody pushes', async () => {
    // Nine times 20 ms.
    expect(await milliseconds(new Pace())).toBeGreaterThan(170);
  });

  test('does not rest while somebody waits for it', async () => {
    const pace = new Pace();
    expect(await pace.hurry(() => milliseconds(pace))).toBeLessThan(150);
    await expect(pace.hurry(() => Promise.reject(new Error('it fails')))).rejects.toThrow('it fails');
    expect(await milliseconds(pace)).toBeGreaterThan(170);
  });

  test('does not rest after the last piece: it may be the only one', async () => {
    const pace = new Pace();
    const begun = performance.now();
    for (let i = 0; i < 10; i++) await milliseconds(pace, 1);
    expect(performance.now() - begun).toBeLessThan(150);
  });

  test('does not rest when the last push was a while ago', async () => {
    const pace = new Pace();
    pace.notePush();
    await new Promise((resolve) => setTimeout(resolve, 60));
    const begun = performance.now();
    for (let i = 0; i < 20; i++) await pace.rest(20);
    expect(performance.now() - begun).toBeLessThan(200);
  });
});
