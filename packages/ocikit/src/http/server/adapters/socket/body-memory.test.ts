import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { BodyMemory, isNext, isShared } from './body-memory.ts';

const MiB = 1024 * 1024;
const record = 16 * 1024;

/** Reads `count` bytes into the memory. Returns them as they stand there, or as a copy. */
function read(memory: BodyMemory, count: number, value: number): Uint8Array {
  const room = memory.room();
  const bytes = room?.subarray(0, count) ?? new Uint8Array(count);
  bytes.fill(value);
  memory.keep(bytes, bytes.length);
  return bytes;
}

test('the memory of a body is used again once three more pieces were lent, and not before', () => {
  const memory = new BodyMemory(true);
  const buffers = new Set<ArrayBufferLike>();
  const valid: { piece: Uint8Array; value: number }[] = [];
  for (let i = 0; i < 4096; i++) {
    const piece = read(memory, record, i % 251);
    if (isShared(piece.buffer)) buffers.add(piece.buffer);
    memory.lend(piece);
    valid.push({ piece, value: i % 251 });
    if (valid.length > 3) valid.shift();
    for (const { piece: one, value } of valid) expect([one[0], one.at(-1)]).toEqual([value, value]);
  }
  expect(buffers.size).toBeGreaterThan(0);
  expect(buffers.size).toBeLessThanOrEqual(2);
  memory.close();
});

test('the first bytes of a body, and all bytes that must stay, are in memory that is not shared', () => {
  const small = new BodyMemory(true);
  for (let i = 0; i < (4 * MiB) / record; i++) expect(isShared(read(small, record, 1).buffer)).toBe(false);
  small.close();
  const kept = new BodyMemory(false);
  const pieces = Array.from({ length: 1024 }, (_, i) => read(kept, record, i % 251));
  for (const [i, piece] of pieces.entries()) {
    expect(isShared(piece.buffer)).toBe(false);
    expect(piece[0]).toBe(i % 251);
  }
  kept.close();
});

test('the body of a slow client has no memory beyond its bytes', () => {
  const memory = new BodyMemory(true);
  for (let i = 0; i < 10; i++) {
    expect(memory.room()).toBeUndefined();
    memory.keep(new Uint8Array(100), 100);
  }
  memory.keep(new Uint8Array(record), record);
  expect(memory.room()).toBeDefined();
  memory.close();
  expect(memory.room()).toBeUndefined();
});

test('only eight bodies have shared memory at the same time', () => {
  const memories = Array.from({ length: 10 }, () => new BodyMemory(true));
  const shares = memories.map((memory) => {
    for (let i = 0; i < 256; i++) read(memory, record, 1);
    memory.room();
    read(memory, record, 1);
    return isShared(read(memory, record, 1).buffer);
  });
  expect(shares).toEqual([...Array.from({ length: 8 }, () => true), false, false]);
  for (const memory of memories) memory.close();
});

test('content that is shorter than its read is followed by the next one without a gap', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 8192, max: record }), fc.nat(100)), { minLength: 3 }), (reads) => {
      const memory = new BodyMemory(false);
      let last: Uint8Array | undefined;
      for (const [count, overhead] of reads) {
        const room = memory.room();
        const bytes = room?.subarray(0, count) ?? new Uint8Array(count);
        const content = bytes.subarray(0, Math.max(bytes.length - overhead, 0));
        memory.keep(content, bytes.length);
        if (last !== undefined && last.buffer === content.buffer) expect(isNext(last, content)).toBe(true);
        last = content;
      }
    }),
  );
});
