import { describe, expect, test } from 'vitest';

import { collect } from '../../../model/index.ts';
import type { BlobSource } from '../../../model/index.ts';

import { openPayload } from './payload.ts';
import type { Payload } from './payload.ts';

const large = 3 * 1024 * 1024;

function bytesOf(size: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: size }, (_, i) => (i * 31) % 251);
}

async function* pieces(bytes: Uint8Array, length = 100_003): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += length) {
    yield bytes.subarray(at, at + length);
    yield new Uint8Array();
  }
}

async function* failing(bytes: Uint8Array, error: unknown): AsyncGenerator<Uint8Array, void, undefined> {
  yield* pieces(bytes);
  throw error;
}

async function read(payload: Payload, start: number, end?: number): Promise<Uint8Array> {
  const opened = payload.open(start, end);
  return opened instanceof Uint8Array ? opened : Buffer.concat(await collect(opened));
}

const sources: readonly [what: string, of: (bytes: Uint8Array<ArrayBuffer>) => BlobSource][] = [
  ['bytes', (bytes) => bytes],
  ['a Blob', (bytes) => new Blob([bytes])],
  ['a function that gives bytes', (bytes) => () => bytes],
  ['a function that opens a stream', (bytes) => async () => pieces(bytes)],
];

describe.each(sources)('a payload of %s', (_what, of) => {
  test.each([0, 1, 70_000, large])('of %i bytes is read in parts, forwards and backwards', async (size) => {
    const bytes = bytesOf(size);
    for (const announced of [undefined, size]) {
      const payload = await openPayload(of(bytes), { size: announced });
      for (const [start, end] of [
        [0, 10],
        [10, 10],
        [10, size >> 1],
        [0, undefined],
        [size >> 1, undefined],
        [5, 6],
      ] as const) {
        const from = Math.min(start, size);
        const to = Math.min(Math.max(from, end ?? size), size);
        expect(payload.canOpen(from)).toBe(true);
        expect(Buffer.compare(await read(payload, from, to), bytes.subarray(from, to))).toBe(0);
      }
      await payload.close();
    }
  });

  test.each([
    [70_000, 69_999],
    [70_000, 70_001],
    [large, large - 1],
    [large, large + 1],
  ])('of %i bytes is refused if %i were announced, before its last bytes are handed on', async (size, announced) => {
    const bytes = bytesOf(size);
    let handedOn = 0;
    const all = async (): Promise<void> => {
      const payload = await openPayload(of(bytes), { size: announced });
      const opened = payload.open(0);
      for await (const piece of opened instanceof Uint8Array ? [opened] : opened) handedOn += piece.length;
    };
    await expect(all()).rejects.toMatchObject({ code: 'SIZE_INVALID' });
    expect(handedOn).toBeLessThan(announced);
  });
});

describe('a payload of a stream', () => {
  test('is in memory if it is short, and can be sent again', async () => {
    const bytes = bytesOf(70_000);
    const payload = await openPayload(pieces(bytes), {});
    expect(payload).toMatchObject({ size: 70_000, inMemory: true });
    expect(Buffer.compare(await read(payload, 0), bytes)).toBe(0);
    expect(Buffer.compare(await read(payload, 0), bytes)).toBe(0);
  });

  test('continues where it was left, skips bytes that are not needed, and does not go back', async () => {
    const bytes = bytesOf(large);
    const payload = await openPayload(pieces(bytes), { size: large });
    expect(Buffer.compare(await read(payload, 0, 1000), bytes.subarray(0, 1000))).toBe(0);
    expect(Buffer.compare(await read(payload, 1000, 2000), bytes.subarray(1000, 2000))).toBe(0);
    expect(Buffer.compare(await read(payload, 900_000, 900_001), bytes.subarray(900_000, 900_001))).toBe(0);
    expect(payload.canOpen(900_000)).toBe(false);
    await expect(read(payload, 900_000)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('gives the bytes in memory again, from any byte of them', async () => {
    const bytes = bytesOf(large);
    const payload = await openPayload(pieces(bytes), {});
    expect(payload.size).toBeUndefined();
    expect((await payload.take(0, 2_000_000)).length).toBe(2_000_000);
    expect(payload.canOpen(1_500_000)).toBe(true);
    expect(Buffer.compare(await payload.take(1_500_000, 2_000_000), bytes.subarray(1_500_000, 2_000_000))).toBe(0);
    expect(Buffer.compare(await payload.take(2_000_000, 2_000_000), bytes.subarray(2_000_000))).toBe(0);
    expect(payload.size).toBe(large);
  });

  test('says why it failed, and keeps the bytes before the error', async () => {
    const error = new Error('the disk is gone');
    const short = await openPayload(failing(bytesOf(1000), error), { size: 5000 });
    expect(short).toMatchObject({ size: 1000, failure: { error } });
    expect((await read(short, 0)).length).toBe(1000);
    const long = await openPayload(failing(bytesOf(large), error), {});
    await expect(read(long, 0)).rejects.toBe(error);
    expect(long.failure).toEqual({ error });
  });

  test('is opened again after it failed, if it can be', async () => {
    let opened = 0;
    const bytes = bytesOf(large);
    const payload = await openPayload(() => (opened++ === 0 ? failing(bytes, new Error('once')) : pieces(bytes)), {});
    await expect(read(payload, 0)).rejects.toThrow('once');
    expect(Buffer.compare(await read(payload, 10), bytes.subarray(10))).toBe(0);
  });

  test('is not read by two at a time: the piece that a given-up reading waits for goes to the next one', async () => {
    const bytes = bytesOf(large);
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const source = (async function* () {
      yield bytes.subarray(0, 2_000_000);
      await held;
      yield bytes.subarray(2_000_000);
    })();
    const payload = await openPayload(source, { size: large });
    const first = payload.open(0);
    if (first instanceof Uint8Array) throw new Error('it is a stream');
    const reading = first[Symbol.asyncIterator]();
    expect(await reading.next()).toMatchObject({ done: false });
    const late = reading.next();
    const second = read(payload, 2_000_000);
    release();
    await expect(late).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(Buffer.compare(await second, bytes.subarray(2_000_000))).toBe(0);
  });

  test('is released when it is closed, also if it hangs and the call has been ended', async () => {
    let left = false;
    const controller = new AbortController();
    let begun = (): void => undefined;
    const waiting = new Promise<void>((resolve) => (begun = resolve));
    const hanging: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({
        next: () => {
          begun();
          return new Promise(() => undefined);
        },
        return: async () => {
          left = true;
          return { done: true, value: undefined };
        },
      }),
    };
    const payload = await openPayload(hanging, { size: large, signal: controller.signal });
    const reading = read(payload, 0);
    await waiting;
    controller.abort(new Error('no longer wanted'));
    await expect(reading).rejects.toThrow('no longer wanted');
    expect(payload.failure).toBeUndefined();
    await payload.close();
    expect(left).toBe(true);
  });
});
