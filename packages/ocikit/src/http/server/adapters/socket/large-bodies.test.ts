import { expect, test } from 'vitest';

import { LargeBodies } from './large-bodies.ts';

const never = (): undefined => undefined;
const bodyOf = (fill: number, size = 100): Uint8Array => new Uint8Array(size).fill(fill);

test('equal bodies share their memory until the last of them is sent', () => {
  const bodies = new LargeBodies(150);
  const first = bodyOf(1);
  const sendings = [bodies.begin(first, never), ...[1, 2, 3].map(() => bodies.begin(bodyOf(1), never))];
  expect(sendings.every((sending) => sending?.bytes === first)).toBe(true);
  expect(bodies.used).toBe(100);
  for (const sending of sendings.slice(1)) {
    sending?.end();
    sending?.end();
  }
  expect(bodies.used).toBe(100);
  sendings[0]?.end();
  expect(bodies.used).toBe(0);
});

test('bodies of one size or of one beginning do not count as equal', () => {
  const bodies = new LargeBodies(1000);
  const all = [bodyOf(1), bodyOf(2), bodyOf(1, 101)];
  expect(all.map((bytes) => bodies.begin(bytes, never)?.bytes)).toEqual(all);
  expect(bodies.used).toBe(301);
});

test('a body without room is refused, and the only one never', () => {
  const bodies = new LargeBodies(150);
  const first = bodies.begin(bodyOf(1, 200), never);
  expect(first).toBeDefined();
  expect(bodies.begin(bodyOf(2), never)).toBeUndefined();
  expect(bodies.begin(bodyOf(1, 200), never)).toBeDefined();
  expect(bodies.used).toBe(200);
});

test('clients that stall lose their connections to others, and those that read do not', () => {
  let now = 0;
  const cut: string[] = [];
  const bodies = new LargeBodies(300, () => now);
  const stalled = bodies.begin(bodyOf(1), () => cut.push('stalled'));
  const slow = bodies.begin(bodyOf(2), () => cut.push('slow'));
  const shared = [3, 4].map((number) => bodies.begin(bodyOf(3), () => cut.push(`shared ${number}`)));
  now = 1999;
  expect(bodies.begin(bodyOf(4), never)).toBeUndefined();
  slow?.progress();
  shared[1]?.progress();
  now = 2500;
  expect(bodies.begin(bodyOf(4), never)).toBeDefined();
  expect(cut).toEqual(['stalled']);
  stalled?.end();
  expect(bodies.used).toBe(300);
  expect(bodies.begin(bodyOf(5), never)).toBeUndefined();
});
