import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { digestOf } from '../../model/index.ts';

import { MemoryStage } from './memory-stage.ts';

const digest = digestOf(Uint8Array.of());
const kibi = 1024;
const mebi = 1024 * kibi;

/** So many bytes, of which neighbours differ. */
function bytesOf(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = i * 31 + seed * 17 + (i >> 8);
  return bytes;
}

/** A stage, and what it was asked to keep. */
function stageOf(): { stage: MemoryStage; kept: (readonly Uint8Array[])[] } {
  const kept: (readonly Uint8Array[])[] = [];
  const stage = new MemoryStage((_repository, _digest, pieces) => void kept.push(pieces));
  return { stage, kept };
}

/** Equal bytes, said without showing a million of them. */
function expectSame(found: Uint8Array, expected: Uint8Array): void {
  expect(found.length).toBe(expected.length);
  expect(Buffer.compare(found, expected)).toBe(0);
}

describe('a stage in memory', () => {
  test('is like an array of bytes, whatever is appended, cut off and read', async () => {
    const length = fc.oneof(fc.nat({ max: 40 }), fc.constantFrom(4095, 4096, 4097, 9000, 100_000));
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ append: length }) },
      { weight: 1, arbitrary: fc.record({ keepOf: fc.double({ min: 0, max: 1, noNaN: true }) }) },
      { weight: 2, arbitrary: fc.record({ from: fc.double({ min: 0, max: 1, noNaN: true }), length }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const { stage, kept } = stageOf();
        let model: Uint8Array = new Uint8Array();
        for (const [i, what] of steps.entries()) {
          if ('append' in what) {
            const bytes = bytesOf(what.append, i);
            await stage.append(bytes);
            model = Buffer.concat([model, bytes]);
          } else if ('keepOf' in what) {
            const size = Math.floor(model.length * what.keepOf);
            await stage.truncate(size);
            model = model.slice(0, size);
          } else {
            const start = Math.floor(model.length * what.from);
            const end = start + what.length;
            expectSame(await stage.read(model.length, { start, end }).bytes(), model.slice(start, end));
          }
        }
        expectSame(await stage.read(model.length).bytes(), model);
        await stage.keep('a', digest);
        expectSame(Buffer.concat(kept[0] ?? []), model);
      }),
      { numRuns: 150 },
    );
  });

  test('holds megabytes that came in small pieces, in a few blocks', async () => {
    const { stage, kept } = stageOf();
    const all = bytesOf(3 * mebi + 5);
    for (let at = 0; at < all.length; at += 10_000) await stage.append(all.subarray(at, at + 10_000));
    await stage.keep('a', digest);
    const pieces = kept[0] ?? [];
    expectSame(Buffer.concat(pieces), all);
    expect(pieces.length).toBeLessThan(16);
    expect(Math.max(...pieces.map(({ length }) => length))).toBe(mebi);
  });

  test('holds megabytes that came at once', async () => {
    const { stage } = stageOf();
    const all = bytesOf(2 * mebi + 7);
    await stage.append(all);
    expectSame(await stage.read(all.length).bytes(), all);
    expectSame(await stage.read(all.length, { last: 10 }).bytes(), all.slice(-10));
  });

  test('copies: the buffer that was appended may be used again', async () => {
    const { stage } = stageOf();
    const buffer = bytesOf(10);
    await stage.append(buffer);
    buffer.fill(0);
    expectSame(await stage.read(10).bytes(), bytesOf(10));
  });

  test('reads fewer bytes than it has, if fewer are asked for', async () => {
    const { stage } = stageOf();
    await stage.append(bytesOf(10));
    const content = stage.read(4);
    expect(content.descriptor.size).toBe(4);
    expectSame(await content.bytes(), bytesOf(10).slice(0, 4));
  });

  test('keeps nothing in memory but what the blob needs', async () => {
    const { stage, kept } = stageOf();
    await stage.append(bytesOf(5000));
    await stage.append(bytesOf(10));
    await stage.keep('a', digest);
    const allocated = (kept[0] ?? []).reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
    expect(allocated).toBe(5010);
  });

  test('says for which repository and digest it keeps', async () => {
    const told: unknown[] = [];
    const stage = new MemoryStage((...args) => void told.push(...args.slice(0, 2)));
    await stage.keep('a/b', digest);
    expect(told).toEqual(['a/b', digest]);
  });

  test('still has its bytes if they could not be kept', async () => {
    let fails = true;
    const kept: Uint8Array[] = [];
    const stage = new MemoryStage(async (_repository, _digest, pieces) => {
      if (fails) throw new Error('no room');
      kept.push(...pieces);
    });
    await stage.append(bytesOf(10));
    await expect(stage.keep('a', digest)).rejects.toThrow('no room');
    expectSame(await stage.read(10).bytes(), bytesOf(10));
    await stage.append(bytesOf(3, 2));
    fails = false;
    await stage.keep('a', digest);
    expectSame(Buffer.concat(kept), Buffer.concat([bytesOf(10), bytesOf(3, 2)]));
  });

  test('does not change what it has kept when it goes on', async () => {
    const { stage, kept } = stageOf();
    await stage.append(bytesOf(10));
    await stage.keep('a', digest);
    await stage.append(bytesOf(20, 2));
    expectSame(Buffer.concat(kept[0] ?? []), bytesOf(10));
    expectSame(await stage.read(20).bytes(), bytesOf(20, 2));
  });

  test('begins anew after it was discarded', async () => {
    const { stage } = stageOf();
    await stage.append(bytesOf(10_000));
    await stage.discard();
    await stage.append(bytesOf(5, 2));
    expectSame(await stage.read(5).bytes(), bytesOf(5, 2));
  });

  test('goes on after it was released', async () => {
    const { stage } = stageOf();
    await stage.append(bytesOf(5));
    await stage.release();
    await stage.append(bytesOf(5, 2));
    expectSame(await stage.read(10).bytes(), Buffer.concat([bytesOf(5), bytesOf(5, 2)]));
  });

  test('of no bytes can be cut, read and kept', async () => {
    const { stage, kept } = stageOf();
    await stage.truncate(0);
    expect(await stage.read(0).bytes()).toHaveLength(0);
    await stage.keep('a', digest);
    expect(Buffer.concat(kept[0] ?? [])).toHaveLength(0);
  });
});
