import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { createContent, digestOf } from '../../../model/index.ts';
import type { BlobContent } from '../../../model/index.ts';

import { inLargePieces, largePiece } from './large-pieces.ts';

const bytes = new Uint8Array(5 * largePiece + 123).map((_, i) => (i * 31) >> 5);

async function* piecesOf(sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const size of sizes) yield bytes.subarray(at, (at += size));
  yield bytes.subarray(at);
}

/** A content whose pieces are in memory that threads share, and spoilt as soon as they need not be good any more. */
function lentContent(sizes: readonly number[]): BlobContent {
  async function* lent(how: 'lent' | undefined): AsyncGenerator<Uint8Array> {
    const given: Uint8Array[] = [];
    for await (const piece of piecesOf(sizes)) {
      if (piece.length === 0) continue;
      const shared = new Uint8Array(new SharedArrayBuffer(piece.length));
      shared.set(piece);
      given.push(shared);
      yield shared;
      if (how === 'lent') given.at(-3)?.fill(0xff);
    }
  }
  const descriptor = { mediaType: 'application/octet-stream', digest: digestOf(bytes), size: bytes.length };
  return createContent({ descriptor, source: { iterate: (_, how) => lent(how) } });
}

/** Takes each piece only when two more are there: until then it has to be good. */
async function collect(pieces: AsyncIterable<Uint8Array>): Promise<{ all: Buffer; sizes: number[] }> {
  const found: Uint8Array[] = [];
  const last: Uint8Array[] = [];
  for await (const piece of pieces) {
    last.push(piece);
    if (last.length > 2) found.push(...last.splice(0, 1).map((each) => each.slice()));
  }
  found.push(...last);
  return { all: Buffer.concat(found), sizes: found.map(({ length }) => length) };
}

const sizesOfPieces = fc.array(fc.oneof(fc.nat(100), fc.nat(2 * largePiece), fc.constant(largePiece)), {
  maxLength: 12,
});

test('what comes in pieces of any size is handed on whole and in order, and no piece but the last is smaller than the others', async () => {
  await fc.assert(
    fc.asyncProperty(sizesOfPieces, async (each) => {
      let count = 0;
      const { all, sizes } = await collect(inLargePieces(piecesOf(each), undefined, (more) => (count += more)));
      expect(sizes).toEqual([...Array.from({ length: 5 }, () => largePiece), 123]);
      expect(Buffer.compare(all, bytes)).toBe(0);
      expect(count).toBe(bytes.length);
    }),
    { numRuns: 20 },
  );
});

test('what is lent is handed on whole and in order, and each piece is good until the third after it is asked for', async () => {
  await fc.assert(
    fc.asyncProperty(sizesOfPieces, async (each) => {
      let count = 0;
      const pieces = inLargePieces(lentContent(each), undefined, (more) => (count += more));
      const { all, sizes } = await collect(pieces);
      expect(Buffer.compare(all, bytes)).toBe(0);
      expect(count).toBe(bytes.length);
      // Large ones go on as they are, and what is small is gathered behind each run of them.
      expect(sizes.length).toBeLessThanOrEqual(3 * (each.length + 1) + 6);
    }),
    { numRuns: 50 },
  );
});

test('all pieces can be read by other threads', async () => {
  const sizes = [300_000, 5, 200_000, 7];
  for (const source of [piecesOf(sizes), lentContent(sizes)]) {
    for await (const { buffer } of inLargePieces(source, undefined, () => undefined)) {
      expect(buffer).toBeInstanceOf(SharedArrayBuffer);
    }
  }
});

test('of nothing there are no pieces, and a failure goes on', async () => {
  const ignore = (): undefined => undefined;
  for await (const piece of inLargePieces(new Uint8Array(), undefined, ignore)) expect(piece).toBeUndefined();
  const failing = async function* (): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(3);
    throw new Error('enough');
  };
  await expect(inLargePieces(failing(), undefined, ignore).next()).rejects.toThrow('enough');
});

test('an aborted signal ends it, also in the middle of a wait', async () => {
  const hanging = async function* (): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(largePiece);
    await new Promise(() => undefined);
  };
  const descriptor = { mediaType: 'application/octet-stream', digest: digestOf(bytes), size: 2 * largePiece };
  for (const source of [hanging(), createContent({ descriptor, source: { iterate: hanging } })]) {
    const controller = new AbortController();
    const pieces = inLargePieces(source, controller.signal, () => undefined);
    await pieces.next();
    const waiting = pieces.next();
    controller.abort(new Error('no longer wanted'));
    await expect(waiting).rejects.toThrow('no longer wanted');
  }
});
