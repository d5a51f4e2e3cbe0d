import { describe, expect, test } from 'vitest';

import { Locks } from './locks.ts';
import type { Sharing } from './locks.ts';

interface Running {
  ended: Promise<unknown>;
  end: () => void;
}

/** Holds the lock until `end` is called, and notes in the log when it has it. */
function hold(locks: Locks, name: string, sharing: Sharing, log: string[], label: string): Running {
  let end = (): void => undefined;
  const wait = new Promise<void>((resolve) => (end = resolve));
  const ended = locks.hold(name, sharing, undefined, async () => {
    log.push(label);
    await wait;
  });
  return { ended, end };
}

const settle = (): Promise<void> => new Promise(setImmediate);

describe('locks', () => {
  test('let callers share one, make a caller that is alone wait for all of those, and make the next ones wait for it', async () => {
    const locks = new Locks();
    const log: string[] = [];
    const [a, b] = [hold(locks, 'x', 'together', log, 'a'), hold(locks, 'x', 'together', log, 'b')];
    const alone = hold(locks, 'x', 'alone', log, 'alone');
    const late = hold(locks, 'x', 'together', log, 'late');
    const elsewhere = hold(locks, 'y', 'alone', log, 'elsewhere');
    await settle();
    expect(log).toEqual(['a', 'b', 'elsewhere']);
    a.end();
    await settle();
    expect(log).toHaveLength(3);
    b.end();
    await settle();
    expect(log.slice(3)).toEqual(['alone']);
    alone.end();
    await settle();
    expect(log.slice(4)).toEqual(['late']);
    late.end();
    elsewhere.end();
    await Promise.all([a, b, alone, late, elsewhere].map(({ ended }) => ended));
  });

  test('are released by a function that fails, and pass its error on', async () => {
    const locks = new Locks();
    const failing = locks.hold('x', 'alone', undefined, () => Promise.reject(new Error('no')));
    await expect(failing).rejects.toThrow('no');
    expect(await locks.hold('x', 'alone', undefined, async () => 7)).toBe(7);
  });

  test('let the next callers in if a waiting caller gives up', async () => {
    const locks = new Locks();
    const log: string[] = [];
    const first = hold(locks, 'x', 'together', log, 'first');
    const controller = new AbortController();
    const reason = new Error('no longer wanted');
    const waiting = locks.hold('x', 'alone', controller.signal, async () => log.push('waiting'));
    const third = hold(locks, 'x', 'together', log, 'third');
    await settle();
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await settle();
    expect(log).toEqual(['first', 'third']);
    await expect(locks.hold('x', 'alone', controller.signal, async () => 1)).rejects.toBe(reason);
    first.end();
    third.end();
    await Promise.all([first.ended, third.ended]);
  });

  test('are taken in one order, in whatever order callers name them', async () => {
    const locks = new Locks();
    let inside = 0;
    const run = async (): Promise<void> => {
      expect(++inside).toBe(1);
      await settle();
      inside--;
    };
    await Promise.all([locks.holdAll(['a', 'b'], undefined, run), locks.holdAll(['b', 'a'], undefined, run)]);
  });
});
