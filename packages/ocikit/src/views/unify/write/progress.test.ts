import { describe, expect, test } from 'vitest';

import type { Digest, TransferEvent } from '../../../model/index.ts';

import { Caller } from '../members/index.ts';
import { Progress } from './progress.ts';

const about = { repository: 'a', digest: 'sha256:00' as Digest, size: 100 };

describe('the progress of several members', () => {
  test('is that of the member that is furthest behind, and is told only if it has grown', () => {
    const told: TransferEvent[] = [];
    const progress = new Progress(new Caller({ onEvent: (event) => told.push(event) }), 3);
    const bytes = (i: number, transferred: number): void =>
      progress.listener(i)?.({ type: 'bytes', ...about, transferred });
    bytes(0, 50);
    bytes(1, 30);
    expect(told).toEqual([]);
    bytes(2, 40);
    bytes(0, 100);
    bytes(1, 20); // It was sent again.
    bytes(1, 60);
    progress.leave(2); // It has failed.
    bytes(1, 100);
    expect(told.map((event) => 'transferred' in event && event.transferred)).toEqual([30, 40, 100]);
  });

  test('includes each retry of a member, and no member’s end', () => {
    const told: string[] = [];
    const progress = new Progress(new Caller({ onEvent: ({ type }) => told.push(type) }), 2);
    for (const i of [0, 1]) {
      for (const type of ['started', 'verified', 'done'] as const) progress.listener(i)?.({ type, ...about });
      progress.listener(i)?.({ type: 'resumed', ...about, at: 10 });
    }
    expect(told).toEqual(['resumed', 'resumed']);
  });

  test('gives members no listener if the caller has none', () => {
    expect(new Progress(new Caller({}), 1).listener(0)).toBeUndefined();
  });
});
