import * as fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';

import { GrowingBytes } from './growing-bytes.ts';

const large = 1024 * 1024;

afterEach(() => {
  vi.unstubAllGlobals();
});

/** Replaces the constructor of buffers, and records the resizable ones. */
function watchBuffers(make: (size: number, options?: { maxByteLength: number }) => ArrayBuffer): ArrayBuffer[] {
  const made: ArrayBuffer[] = [];
  const Watched = function (size: number, options?: { maxByteLength: number }): ArrayBuffer {
    const buffer = make(size, options);
    if (options !== undefined) made.push(buffer);
    return buffer;
  };
  Watched.prototype = ArrayBuffer.prototype;
  vi.stubGlobal('ArrayBuffer', Watched);
  return made;
}

const RealBuffer = ArrayBuffer as new (size: number, options?: { maxByteLength: number }) => ArrayBuffer;

describe('bytes that grow', () => {
  test('are the pieces in their order, whatever their sizes', () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 100_000, size: 'max' }), { maxLength: 6 });
    fc.assert(
      fc.property(pieces, fc.integer({ min: 0, max: 2 * large }), (all, most) => {
        const bytes = new GrowingBytes(most);
        for (const piece of all) bytes.add(piece);
        expect(bytes.size).toBe(all.reduce((sum, { length }) => sum + length, 0));
        expect(Buffer.from(bytes.take()).equals(Buffer.concat(all))).toBe(true);
        expect(bytes.size).toBe(0);
      }),
      { numRuns: 30 },
    );
  });

  test('give the memory back at once, also when they are taken', () => {
    const made = watchBuffers((size, options) => new RealBuffer(size, options));
    const taken = new GrowingBytes(large);
    taken.add(new Uint8Array(large - 1).fill(7));
    const released = new GrowingBytes(large);
    released.add(new Uint8Array(100_000));
    released.add(new Uint8Array(100_000));
    released.add(new Uint8Array(100_000));
    expect(made.map(({ byteLength }) => byteLength)).toEqual([large, 600_000]);
    const bytes = taken.take();
    released.release();
    expect(made.map(({ byteLength }) => byteLength)).toEqual([0, 0]);
    expect(bytes.length).toBe(large - 1);
    expect(bytes.every((byte) => byte === 7)).toBe(true);
  });

  test('need no mapping of their own while they are small', () => {
    const made = watchBuffers((size, options) => new RealBuffer(size, options));
    const bytes = new GrowingBytes(60_000);
    bytes.add(new Uint8Array(50_000));
    bytes.add(new Uint8Array(10_000));
    expect([made.length, bytes.take().length]).toEqual([0, 60_000]);
  });

  test('grow as usual where no address space is left', () => {
    watchBuffers((size, options) => {
      if (options !== undefined) throw new RangeError('Array buffer allocation failed');
      return new RealBuffer(size);
    });
    const bytes = new GrowingBytes(large);
    for (let i = 0; i < 4; i++) bytes.add(new Uint8Array(100_000).fill(i));
    expect([...new Set(bytes.take())]).toEqual([0, 1, 2, 3]);
  });
});
