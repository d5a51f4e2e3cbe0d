import { EventEmitter } from 'node:events';

import { expect, test } from 'vitest';

import { ByteBudget } from '../../shared/index.ts';

import { RequestBody } from './request-body.ts';
import type { BodyStream } from './request-body.ts';

const MiB = 1024 * 1024;

/** A stream that emits pieces of 64 KiB in each turn of the event loop, as many as its reader allows. */
class FastStream extends EventEmitter implements BodyStream {
  readonly readableEnded = false;
  readonly destroyed = false;
  readonly errored = null;
  readonly #total: number;
  #sent = 0;
  #isFlowing = false;

  constructor(total: number) {
    super();
    this.#total = total;
  }

  pause(): void {
    this.#isFlowing = false;
  }

  resume(): void {
    if (this.#isFlowing) return;
    this.#isFlowing = true;
    setImmediate(() => {
      while (this.#isFlowing && this.#sent < this.#total) {
        const piece = Buffer.alloc(64 * 1024, (this.#sent / 65_536) % 251);
        this.#sent += piece.length;
        this.emit('data', piece);
      }
      if (this.#isFlowing) this.emit('end');
    });
  }
}

function isShared({ buffer }: Uint8Array): boolean {
  return buffer instanceof SharedArrayBuffer;
}

test('the lent pieces of a large body stay valid until the third one after them is requested, and use little memory', async () => {
  const body = new RequestBody(new FastStream(40 * MiB), new ByteBudget(64 * MiB));
  const valid: Uint8Array[] = [];
  const memory = new Set<unknown>();
  let size = 0;
  for await (const piece of body.lent()) {
    if (isShared(piece)) memory.add(piece.buffer);
    valid.push(piece);
    if (valid.length < 3) continue;
    const [oldest = piece] = valid.splice(0, 1);
    for (let at = 0; at < oldest.length; at += 65_536, size += 65_536) expect(oldest[at]).toBe((size / 65_536) % 251);
  }
  for (const piece of valid) size += piece.length;
  expect(size).toBe(40 * MiB);
  expect(memory.size).toBe(3);
});

test('a body lends no memory to a reader that did not ask for it, nor for its first 4 MiB', async () => {
  const sizes = { own: 0, shared: 0 };
  for await (const piece of new RequestBody(new FastStream(8 * MiB), new ByteBudget(64 * MiB))) {
    expect(isShared(piece)).toBe(false);
  }
  for await (const piece of new RequestBody(new FastStream(8 * MiB), new ByteBudget(64 * MiB)).lent()) {
    sizes[isShared(piece) ? 'shared' : 'own'] += piece.length;
  }
  expect(sizes.own).toBeGreaterThan(2 * MiB);
  expect(sizes.shared).toBeGreaterThan(2 * MiB);
});

test('eight bodies have memory to lend at the same time, and each one that ends lets another one have it', async () => {
  const open = (): AsyncIterator<Uint8Array, unknown> =>
    new RequestBody(new FastStream(400 * MiB), new ByteBudget(64 * MiB)).lent()[Symbol.asyncIterator]();
  const lends = async (body: AsyncIterator<Uint8Array, unknown>): Promise<boolean> => {
    for (let i = 0; i < 12; i++) {
      const result = await body.next();
      if (result.done !== true && isShared(result.value)) return true;
    }
    return false;
  };
  const bodies = Array.from({ length: 9 }, open);
  const found = [];
  for (const body of bodies) found.push(await lends(body));
  expect(found).toEqual([...Array.from({ length: 8 }, () => true), false]);
  await bodies[0]?.return?.();
  const another = open();
  expect(await lends(another)).toBe(true);
  for (const body of [...bodies, another]) await body.return?.();
});
